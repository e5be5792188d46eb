"""A whole run: the real programs, everything broken again and again, and then the checks."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.catalogue import NEVER, Catalogue
from lab.chaos.alert_events import (
    check_alert_events,
    is_all_delivered,
    look_at_everything,
    waiting,
)
from lab.chaos.alert_rules import add_rules
from lab.chaos.faults import Disturbances, ServerKiller, ServiceFaults, Team
from lab.chaos.nodes import DatabaseNode, WriteProbe
from lab.chaos.offer_writers import OfferWriter
from lab.chaos.plan import Findings, Plan
from lab.chaos.receivers import Receivers
from lab.chaos.servers import DatabaseServers
from lab.chaos.stored_state import check_stored_state
from lab.chaos.waits import LongestWaits, ScheduleObserver
from lab.processes.api import Api
from lab.processes.notifier import Notifier
from lab.processes.refresher import Refresher
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.waiting import eventually
from productator.database.engine import make_engine
from productator.domain import utc_now

_SLACK_S = 10.0
# For the calls that hang when the receivers get well, and their second tries.
_TELLING_S = 300.0
# Callers write offers of few products, so that they often meet the refresher there.
_WRITTEN_PRODUCTS = 20
_PRICES_A_WRITER = 1_000_000


def run(plan: Plan, servers: DatabaseServers, folder: Path, say: Callable[[str], None]) -> Findings:
    """The databases are migrated and empty."""
    engine = make_engine(servers.urls[0])
    system = System(servers.urls[0], folder)
    receivers = Receivers(plan.seed)
    try:
        return _Run(plan, servers, system, Catalogue(engine), receivers, say).findings()
    finally:
        left = system.stop_all()
        receivers.stop()
        engine.dispose()
        if left:
            say(f"processes left behind: {left}")


@dataclass(frozen=True)
class _Run:
    plan: Plan
    servers: DatabaseServers
    system: System
    catalogue: Catalogue
    receivers: Receivers
    say: Callable[[str], None]

    def findings(self) -> Findings:
        findings, plan = Findings(), self.plan
        simulator, disturbances, writers = self._prepare()
        calls_before = len(simulator.log())
        for writer in writers:
            writer.start()
        self.say(f"{plan.products} products, {plan.refreshers} refreshers, {len(writers)} writers: it begins")
        self.say(f"{plan.rules} alert rules, {plan.notifiers} notifiers")
        took_s = disturbances.run(plan, self.say)
        for writer in writers:
            writer.stop()
        disturbances.observer.stop()
        # Its connections were lost when the servers were killed.
        self.catalogue.engine.dispose()
        findings.note(f"{disturbances.counts()}, in {took_s:.0f} s")
        waits = disturbances.observer.waits
        _note_calls(plan, simulator.log()[calls_before:], waits, took_s, findings)
        _check_waits(plan, waits, findings)
        self._check_recovery(simulator, findings)
        self._check_stops(disturbances.refreshers, findings)
        self._check_alerts(disturbances.notifiers, findings)
        check_logs(self.system, findings)
        check_stored_state(self.catalogue.engine, simulator, [writer.writes for writer in writers], findings)
        return findings

    def _prepare(self) -> tuple[Simulator, Disturbances, list[OfferWriter]]:
        """Starts the programs and waits until every product is refreshed."""
        plan, urls, chance = self.plan, self.servers.urls, random.Random(self.plan.seed)
        self.system.variables |= {
            "REFRESHER_PERIOD": f"{plan.period_s:g}",
            "OFFERS_MS_TIMEOUT": f"{plan.timeout_s:g}",
            "PRODUCTATOR_ALERT_NETWORKS": "127.0.0.0/8",
        }
        simulator = self.system.simulator(tick_s=plan.period_s / 4)
        self.catalogue.add_products(plan.products, over_s=plan.period_s)
        refreshers: Team[Refresher] = Team(
            lambda url: self.system.start_refresher(DATABASE_URL=url), urls, plan.refreshers, chance
        )
        eventually(lambda: not self.catalogue.stale_since(NEVER))
        add_rules(self.catalogue.engine, self.receivers.address, plan)
        notifiers: Team[Notifier] = Team(
            lambda url: self.system.start_notifier(DATABASE_URL=url), urls, plan.notifiers, chance
        )
        writers = self._writers([self.system.api(DATABASE_URL=url) for url in urls[:2]])
        nodes = [DatabaseNode(url) for url in urls]
        disturbances = Disturbances(
            refreshers,
            notifiers,
            ServerKiller(self.servers, nodes, chance),
            ServiceFaults(simulator, list(self.catalogue.remote_ids().values()), plan, chance),
            ScheduleObserver(nodes, [WriteProbe(url) for url in urls], refreshers.working),
        )
        return simulator, disturbances, writers

    def _writers(self, apis: Sequence[Api]) -> list[OfferWriter]:
        products = list(self.catalogue.remote_ids())[:_WRITTEN_PRODUCTS]
        first_prices = range(_PRICES_A_WRITER, (self.plan.writers + 1) * _PRICES_A_WRITER, _PRICES_A_WRITER)
        return [
            OfferWriter(apis, products, first_price=first, seed=self.plan.seed + first)
            for first in first_prices
        ]

    def _check_recovery(self, simulator: Simulator, findings: Findings) -> None:
        simulator.control("DELETE", "faults")
        ended = utc_now()
        # The leases of the refreshers killed last have to end first.
        within_s = self.plan.lease_s + 2 * self.plan.period_s
        try:
            eventually(lambda: not self.catalogue.stale_since(ended), within_s=within_s + _SLACK_S)
        except AssertionError:
            findings.note(f"        {len(self.catalogue.stale_since(ended))} products are stale")
        took_s = (utc_now() - ended).total_seconds()
        findings.expect(took_s <= within_s, f"all products were fresh {took_s:.1f} s after the last fault")

    def _check_stops(self, team: Team[Refresher], findings: Findings) -> None:
        exits = team.unexpected_exits
        findings.expect(not exits, f"{len(exits)} refreshers ended without being killed")
        exits = team.stop()
        findings.expect(exits == [0] * self.plan.refreshers, f"exit codes of a stop at the end: {exits}")
        findings.expect(not self.catalogue.count_claims(), "no claim is left")

    def _check_alerts(self, team: Team[Notifier], findings: Findings) -> None:
        """The history has ended. One notifier tells the rest, to receivers that are well."""
        exits = team.unexpected_exits
        findings.expect(not exits, f"{len(exits)} notifiers ended without being killed")
        exits = team.stop()
        findings.expect(exits == [0] * self.plan.notifiers, f"exit codes of notifiers at the end: {exits}")
        engine = self.catalogue.engine
        self.receivers.is_moody = False
        noted_until = look_at_everything(engine)
        last = self.system.notifier()
        try:
            eventually(lambda: is_all_delivered(engine, noted_until), within_s=_TELLING_S)
        except AssertionError:
            findings.expect(False, f"everything was told within {_TELLING_S:g} s: {waiting(engine)}")
        last.stop()
        check_alert_events(engine, self.receivers, self.plan, findings)


def _note_calls(
    plan: Plan, calls: Sequence[dict[str, Any]], waits: LongestWaits, took_s: float, findings: Findings
) -> None:
    faults = Counter(entry["fault"] for entry in calls if entry["fault"])
    findings.note(f"{len(faults)} different faults: {dict(faults)}")
    needed = plan.products * took_s / plan.period_s
    findings.note(
        f"{len(calls)} calls, {len(calls) / needed:.2f} for each product and period;"
        f" no refresher could work for {waits.idle_s:.0f} s"
    )


def _check_waits(plan: Plan, waits: LongestWaits, findings: Findings) -> None:
    findings.note(f"{waits.samples} looks at the schedule")
    findings.expect(
        waits.claim_s <= plan.lease_s + plan.period_s,
        f"the longest claim lasted {waits.claim_s:.1f} s (lease {plan.lease_s:g} s"
        f" and period {plan.period_s:g} s)",
    )
    findings.expect(
        waits.late_s <= plan.period_s,
        f"the longest wait of a due product, while a refresher could work, was {waits.late_s:.1f} s",
    )


def check_logs(system: System, findings: Findings) -> None:
    """All of this is expected: no worker logs an error."""
    errors = Counter(
        line.strip()
        for program in system.programs
        if isinstance(program, Refresher | Notifier)
        for line in program.printed.splitlines()
        if "[error" in line or "[critical" in line
    )
    for line, times in errors.most_common(5):
        findings.note(f"        {times} times: {line}")
    findings.expect(not errors, f"{errors.total()} unexpected errors logged")
