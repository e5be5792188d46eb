"""The whole system on a cluster of three database servers behind HAProxy, killed one after another."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from lab.catalogue import Catalogue
from lab.chaos.offer_writers import OfferWriter
from lab.chaos.plan import Findings
from lab.chaos.run import check_logs
from lab.chaos.servers import DatabaseServers
from lab.chaos.stored_state import check_stored_state
from lab.processes import haproxy
from lab.processes.haproxy import ClusterKind
from lab.processes.program import Program
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.proofs.measured_calls import Call, MeasuredApi, OfferReader, longest_outage_s, summary
from lab.waiting import eventually
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import utc_now
from productator.models import Base

_WRITERS = 2
_PAUSE_S = 0.4
_PRICES_A_WRITER = 1_000_000
_WRITTEN_PRODUCTS = 20
# An outage is looked for in so long a time after a kill.
_OUTAGE_WITHIN_S = 45.0


@dataclass(frozen=True)
class ClusterPlan:
    kind: ClusterKind
    for_s: float
    kill_every_s: float = 120.0
    # How long a killed node stays away.
    away_s: float = 30.0
    products: int = 150
    period_s: float = 10.0
    # How long no write may succeed after a kill.
    most_outage_s: float = 10.0


class Kill(NamedTuple):
    at: float
    # From 0.
    node: int


def run_on_cluster(
    plan: ClusterPlan, servers: DatabaseServers, folder: Path, say: Callable[[str], None]
) -> Findings:
    """The nodes are up, and their database is empty."""
    system = System(servers.urls[0], folder)
    engines: list[Engine] = []
    try:
        urls = _addresses(system, plan.kind, servers.urls)
        engines += [make_engine(url) for url in (urls[0], *servers.urls)]
        return _Run(plan, servers, system, urls, engines[0], engines[1:], say).findings()
    finally:
        servers.stop()
        system.stop_all()
        for engine in engines:
            engine.dispose()


def _addresses(system: System, kind: ClusterKind, nodes: Sequence[str]) -> list[str]:
    """The addresses of three HAProxies, each beside other programs: each prefers another node."""
    turned = [[*nodes[number:], *nodes[:number]] for number in range(len(nodes))]
    return [haproxy.start(system, kind, each).address(nodes[0]) for each in turned]


@dataclass(frozen=True)
class _Run:
    plan: ClusterPlan
    servers: DatabaseServers
    system: System
    urls: Sequence[str]
    engine: Engine
    nodes: Sequence[Engine]
    say: Callable[[str], None]

    def findings(self) -> Findings:
        findings = Findings()
        simulator, workers, products = self._prepare()
        api = MeasuredApi(self.system.api(DATABASE_URL=self.urls[0]))
        writers = [
            OfferWriter([api], products, first_price=first * _PRICES_A_WRITER, seed=first, pause_s=_PAUSE_S)
            for first in range(1, _WRITERS + 1)
        ]
        callers: list[OfferWriter | OfferReader] = [*writers, OfferReader(api, products, pause_s=_PAUSE_S)]
        for caller in callers:
            caller.start()
        kills = self._kill_in_turn(api.calls)
        for caller in callers:
            caller.stop()
        # Its connections were lost.
        self.engine.dispose()
        findings.note(f"{len(kills)} nodes killed with -9 in {self.plan.for_s:.0f} s")
        _check_calls(self.plan, api.calls, kills, findings)
        self._check_recovery(findings)
        exits = [worker.stop() for worker in workers]
        findings.expect(not any(exits), f"exit codes of refreshers and notifier at the end: {exits}")
        check_logs(self.system, findings)
        check_stored_state(self.engine, simulator, [writer.writes for writer in writers], findings)
        self._check_nodes(findings)
        return findings

    def _prepare(self) -> tuple[Simulator, list[Program], list[int]]:
        """Everything but the API; the products that callers write offers of."""
        eventually(lambda: self._serving() is not None)
        migrate.migrate(self.engine)
        catalogue = Catalogue(self.engine)
        assert not catalogue.remote_ids(), "the database is not empty"
        self.system.variables |= {"REFRESHER_PERIOD": f"{self.plan.period_s:g}", "OFFERS_MS_TIMEOUT": "2"}
        simulator = self.system.simulator(tick_s=self.plan.period_s / 2)
        catalogue.add_products(self.plan.products, over_s=self.plan.period_s)
        workers: list[Program] = [self.system.refresher(DATABASE_URL=url) for url in self.urls[1:]]
        workers.append(self.system.notifier(DATABASE_URL=self.urls[2]))
        return simulator, workers, list(catalogue.remote_ids())[:_WRITTEN_PRODUCTS]

    def _kill_in_turn(self, calls: Sequence[Call]) -> list[Kill]:
        """Kills the node that the API uses, again and again."""
        began = time.monotonic()
        kills: list[Kill] = []
        while (due := began + (len(kills) + 0.5) * self.plan.kill_every_s) < began + self.plan.for_s:
            time.sleep(max(0.0, due - time.monotonic()))
            node = eventually(self._serving)
            self.servers.kill(node - 1)
            kills.append(Kill(time.monotonic(), node))
            time.sleep(self.plan.away_s)
            self.servers.start(node - 1)
            outage_s = _outages_s(calls, kills[-1])[1]
            self.say(f"node {node} was killed and starts again; no write for {outage_s:.1f} s")
        time.sleep(max(0.0, began + self.plan.for_s - time.monotonic()))
        self.servers.stop()
        return kills

    def _serving(self) -> int | None:
        """The number, from 1, of the node that HAProxy leads the API to; None: to none."""
        ports = [make_url(url).port for url in self.servers.urls]
        try:
            with self.engine.connect() as connection:
                return ports.index(int(connection.scalar(text("SELECT @@port")) or 0)) + 1
        except DBAPIError:
            return None

    def _check_recovery(self, findings: Findings) -> None:
        ended, within_s = utc_now(), 3 * self.plan.period_s
        catalogue = Catalogue(self.engine)
        try:
            eventually(lambda: not catalogue.stale_since(ended), within_s=within_s)
        except AssertionError:
            findings.note(f"        {len(catalogue.stale_since(ended))} products are stale")
        took_s = (utc_now() - ended).total_seconds()
        findings.expect(took_s < within_s, f"all products were fresh {took_s:.1f} s later")

    def _check_nodes(self, findings: Findings) -> None:
        """All programs that write have ended, except the API, which nobody calls."""

        def are_equal() -> bool:
            return len({_checksums(node) for node in self.nodes}) == 1

        try:
            eventually(are_equal, within_s=30)
        except AssertionError as error:
            findings.expect(holds=False, promise=f"all nodes hold the same rows ({error})")
        else:
            findings.expect(holds=True, promise="all nodes hold the same rows")


def _check_calls(plan: ClusterPlan, calls: Sequence[Call], kills: Sequence[Kill], findings: Findings) -> None:
    reads, writes = ([call for call in calls if call.is_read is wanted] for wanted in (True, False))
    findings.note(f"reads: {summary(reads)}")
    findings.note(f"writes: {summary(writes)}")
    outages = [_outages_s(calls, kill) for kill in kills]
    for what, number in (("reads", 0), ("writes", 1)):
        longest = sorted((each[number] for each in outages), reverse=True)
        listed = " ".join(f"{seconds:.1f}" for seconds in longest)
        findings.expect(
            not longest or longest[0] <= plan.most_outage_s, f"after the kills no {what} for {listed} s"
        )


def _outages_s(calls: Sequence[Call], kill: Kill) -> tuple[float, float]:
    """For how long no read, and no write, succeeded after the kill."""
    until = min(kill.at + _OUTAGE_WITHIN_S, time.monotonic())
    # The callers go on with their lists.
    reads = [call for call in list(calls) if call.is_read]
    writes = [call for call in list(calls) if not call.is_read]
    return longest_outage_s(reads, kill.at, until), longest_outage_s(writes, kill.at, until)


def _checksums(node: Engine) -> tuple[int | None, ...]:
    tables = ", ".join(sorted(Base.metadata.tables))
    with node.connect() as connection:
        return tuple(row[1] for row in connection.execute(text(f"CHECKSUM TABLE {tables}")))
