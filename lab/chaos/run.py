"""A whole run: the real programs, everything broken again and again, and then the judgement."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from lab.catalogue import NEVER, Catalogue
from lab.chaos.faults import Crew, Observer, Saboteur, Service, wreak
from lab.chaos.judge import judge
from lab.chaos.plan import Findings, Plan
from lab.chaos.servers import Servers
from lab.chaos.watch import Node, Pulse, Watch
from lab.chaos.writers import Writer
from lab.processes.api import Api
from lab.processes.refresher import Refresher
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.waiting import eventually
from productator.database.engine import make_engine
from productator.domain import utc_now

_SLACK_S = 10.0
# Products that callers write offers of: so few that they often meet the refresher there.
_HOT_PRODUCTS = 20
_PRICES_A_WRITER = 1_000_000


def run(plan: Plan, servers: Servers, folder: Path, say: Callable[[str], None]) -> Findings:
    """The databases are migrated and empty."""
    engine = make_engine(servers.urls[0])
    system = System(servers.urls[0], folder)
    try:
        return _run(plan, servers, system, engine, say)
    finally:
        left = system.stop_all()
        engine.dispose()
        if left:
            say(f"processes left behind: {left}")


def _run(
    plan: Plan, servers: Servers, system: System, engine: Engine, say: Callable[[str], None]
) -> Findings:
    findings, chance = Findings(), random.Random(plan.seed)
    simulator = _start_service(plan, system)
    catalogue = Catalogue(engine)
    catalogue.add_products(plan.products, over_s=plan.period_s)
    crew = Crew(system, servers.urls, plan, chance)
    eventually(lambda: not catalogue.stale_since(NEVER))
    writers = _writers(plan, [system.api(DATABASE_URL=url) for url in servers.urls[:2]], catalogue)
    nodes = [Node(url) for url in servers.urls]
    pulses = [Pulse(url) for url in servers.urls]
    observer = Observer(nodes, pulses, crew.working)
    service = Service(simulator, list(catalogue.remote_ids().values()), plan, chance)
    saboteur = Saboteur(servers, nodes, chance)
    calls_before = len(simulator.log())
    for writer in writers:
        writer.start()
    say(f"{plan.products} products, {plan.refreshers} refreshers, {len(writers)} writers: here it begins")
    took_s = wreak(plan, crew=crew, saboteur=saboteur, service=service, observer=observer, say=say)
    for running in (*writers, *pulses):
        running.stop()
    # Its connections did not survive this.
    engine.dispose()
    findings.note(
        f"{crew.kills} refreshers and {saboteur.kills} database servers killed with -9,"
        f" {service.fired} faults of the service, in {took_s:.0f} s"
    )
    _judge_calls(plan, simulator.log()[calls_before:], observer.watch, took_s, findings)
    _judge_waits(plan, observer.watch, findings)
    _recover(plan, simulator, catalogue, findings)
    findings.expect(not crew.deserters, f"{len(crew.deserters)} refreshers ended by themselves")
    exits = [refresher.stop() for refresher in crew.team]
    findings.expect(exits == [0] * plan.refreshers, f"exit codes of a stop at the end: {exits}")
    findings.expect(not catalogue.count_claims(), "no claim is left")
    _judge_logs(system, findings)
    judge(engine, simulator, [writer.writes for writer in writers], findings)
    return findings


def _start_service(plan: Plan, system: System) -> Simulator:
    system.variables |= {
        "REFRESHER_PERIOD": f"{plan.period_s:g}",
        "OFFERS_MS_TIMEOUT": f"{plan.timeout_s:g}",
    }
    return system.simulator(tick_s=plan.period_s / 4)


def _writers(plan: Plan, apis: Sequence[Api], catalogue: Catalogue) -> list[Writer]:
    hot = list(catalogue.remote_ids())[:_HOT_PRODUCTS]
    firsts = range(_PRICES_A_WRITER, (plan.writers + 1) * _PRICES_A_WRITER, _PRICES_A_WRITER)
    return [Writer(apis, hot, first_price=first, seed=plan.seed + first) for first in firsts]


def _judge_calls(
    plan: Plan, calls: Sequence[dict[str, Any]], watch: Watch, took_s: float, findings: Findings
) -> None:
    kinds = Counter(entry["fault"] for entry in calls if entry["fault"])
    findings.note(f"{len(kinds)} kinds of fault: {dict(kinds)}")
    needed = plan.products * took_s / plan.period_s
    findings.note(
        f"{len(calls)} calls, {len(calls) / needed:.2f} for each product and period;"
        f" nobody could work for {watch.idle_s:.0f} s"
    )


def _judge_waits(plan: Plan, watch: Watch, findings: Findings) -> None:
    findings.note(f"{watch.samples} looks at the schedule")
    findings.expect(
        watch.longest_claim_s <= plan.lease_s + plan.period_s,
        f"the longest claim lasted {watch.longest_claim_s:.1f} s (lease {plan.lease_s:g} s"
        f" and period {plan.period_s:g} s)",
    )
    findings.expect(
        watch.longest_late_s <= plan.period_s,
        f"the longest that a due product waited, while anybody could work, was {watch.longest_late_s:.1f} s",
    )


def _recover(plan: Plan, simulator: Simulator, catalogue: Catalogue, findings: Findings) -> None:
    simulator.control("DELETE", "faults")
    back = utc_now()
    # The leases of those killed last have to end first.
    within_s = plan.lease_s + 2 * plan.period_s
    try:
        eventually(lambda: not catalogue.stale_since(back), within_s=within_s + _SLACK_S)
    except AssertionError:
        findings.note(f"        {len(catalogue.stale_since(back))} products are stale")
    took_s = (utc_now() - back).total_seconds()
    findings.expect(took_s <= within_s, f"all products were fresh {took_s:.1f} s after the last fault")


def _judge_logs(system: System, findings: Findings) -> None:
    """Whatever happens is foreseen: no refresher logs an error."""
    errors = Counter(
        line.strip()
        for program in system.programs
        if isinstance(program, Refresher)
        for line in program.printed.splitlines()
        if "[error" in line or "[critical" in line
    )
    for line, times in errors.most_common(5):
        findings.note(f"        {times} times: {line}")
    findings.expect(not errors, f"{errors.total()} errors logged that nobody foresaw")
