"""What the API's requests cost, beside the same requests as others would write them.

    python -m lab.benchmarks.api [--short] [--only TEXT]

Starts a MariaDB of its own with 10,000 products of ten offers each, ours, and the peers of lab/peers/ (`make
bench-tools` installs them), and lets wrk ask them in turns, several rounds. The figure that hardly depends on
what else the machine does is processor time: of all processes of a server over the requests that it answered.
The latest full run is a table and a plot in docs/performance.md.
"""

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
from sqlalchemy import Engine, text

from lab.benchmarks import report, servers, steady, wrk
from lab.benchmarks.filling import fill
from lab.benchmarks.laboratory import Laboratory, laboratory, processor_s
from lab.benchmarks.plots import bars
from lab.benchmarks.scenarios import (
    PRODUCTS,
    READS,
    READS_WHILE_REFRESHED,
    WRITES,
    Scenario,
    require_equal_answers,
    unchanged_reads,
)
from lab.benchmarks.servers import BARE, MeasuredServer
from lab.processes.system import System

_PERIOD_S = 10  # of the refresher: 10,000 products in it are 1,000 a second
_CHANGED_PERCENT = 10
_LATENCY_S = 0.1
_WARM_UP_S = 1


@dataclass(frozen=True)
class Figures:
    """Of one server in one scenario: medians of the rounds."""

    scenario: str
    server: str
    processor_us: float
    database_us: float
    per_s: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    # In all rounds.
    failed: int

    def row(self) -> list[str]:
        failed = f" ({self.failed:,} failed)" if self.failed else ""
        return [
            f"{self.processor_us:,.0f} µs",
            f"{self.database_us:,.0f} µs",
            f"{self.per_s:,.0f}{failed}",
            f"{self.p50_ms:,.1f} ms",
            f"{self.p99_ms:,.1f} ms",
            f"{self.memory_mib:,.0f} MiB",
        ]


@click.command()
@click.option(
    "--short", is_flag=True, help="One round of two seconds: about three minutes; writes no document."
)
@click.option(
    "--only", default="", help="Measures only the scenarios whose titles contain this; writes no document."
)
def main(*, short: bool, only: str) -> None:
    wrk.require()
    load = os.getloadavg()
    rounds, seconds = (1, 2) if short else (5, 4)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        lab = running.enter_context(laboratory(None, latency_s=_LATENCY_S))
        fill(lab.engine, 1, PRODUCTS)
        system = System(lab.url, folder, {"OFFERS_MS_ADDRESS": lab.address})
        running.callback(system.stop_all)
        bench = Bench(lab, system, rounds=rounds, seconds=seconds, only=only)
        found = list(bench.run())
    print(_table(found))
    if not short and not only:
        write_report(found, f"{report.machine(load)}; medians of {rounds} rounds of {seconds} s.")


def write_report(found: Sequence[Figures], about: str) -> None:
    """Writes the document's section and its plot."""
    plot = "![Processor time a request](plots/requests.svg)"
    report.write_section("requests", f"{about}\n\n{plot}\n\n{_table(found)}")
    report.write_plot("requests", bars(_processor_us(found), unit="µs"))


def _table(found: Iterable[Figures]) -> str:
    head = ("request", "server", "processor", "database", "requests/s", "p50", "p99", "memory a worker")
    return report.table(head, ([each.scenario, each.server, *each.row()] for each in found))


class Bench:
    def __init__(self, lab: Laboratory, system: System, *, rounds: int, seconds: int, only: str) -> None:
        self._lab = lab
        self._folder = system.folder
        self._rounds = rounds
        self._seconds = seconds
        self._only = only
        self._ours = servers.ours(system)
        self._proxied = servers.ours_proxied(system)
        self._peers = servers.peers(system)
        for peer in self._peers:
            if peer.name != BARE:
                require_equal_answers(self._ours, peer)
        for server in (self._ours, self._proxied, *self._peers):
            server.wait_until_idle()

    def run(self) -> Iterator[Figures]:
        for scenario in self._wanted(*READS, unchanged_reads(self._ours)):
            yield from self._measure(scenario)
        for scenario in self._wanted(READS_WHILE_REFRESHED):
            with _refreshing(self._lab):
                yield from self._measure(scenario)
        for scenario in self._wanted(*WRITES):
            yield from self._measure(scenario)

    def _wanted(self, *scenarios: Scenario) -> Iterator[Scenario]:
        return (each for each in scenarios if self._only in each.title)

    def _measure(self, scenario: Scenario) -> list[Figures]:
        script = self._folder / "requests.lua"
        wrk.write_script(script, scenario.request, before=scenario.before)
        asked = [self._proxied if scenario.is_proxied else self._ours, *self._peers]
        if not scenario.has_ceiling:
            asked = [server for server in asked if server.name != BARE]
        for server in asked:
            # The first requests of their kind build what the later ones use.
            wrk.run(script, server.address, clients=scenario.clients, seconds=_WARM_UP_S)
        rounds = [[self._ask(scenario, server, script) for server in asked] for _ in range(self._rounds)]
        found = [_medians(of_one) for of_one in zip(*rounds, strict=True)]
        for each in found:
            print(f"{each.scenario}, {each.server}: {', '.join(each.row())}", flush=True)
        return found

    def _ask(self, scenario: Scenario, server: MeasuredServer, script: Path) -> Figures:
        database = self._lab.server_pid
        before, database_before = server.processor_s, processor_s(database)
        answers = wrk.run(script, server.address, clients=scenario.clients, seconds=self._seconds)
        return Figures(
            scenario.title,
            server.name,
            processor_us=(server.processor_s - before) / answers.requests * 1e6,
            database_us=(processor_s(database) - database_before) / answers.requests * 1e6,
            per_s=answers.per_s,
            p50_ms=answers.p50_ms,
            p99_ms=answers.p99_ms,
            memory_mib=server.memory_mib,
            failed=answers.failed,
        )


def _medians(rounds: Iterable[Figures]) -> Figures:
    every = list(rounds)
    return Figures(
        every[0].scenario,
        every[0].server,
        processor_us=median(each.processor_us for each in every),
        database_us=median(each.database_us for each in every),
        per_s=median(each.per_s for each in every),
        p50_ms=median(each.p50_ms for each in every),
        p99_ms=median(each.p99_ms for each in every),
        memory_mib=median(each.memory_mib for each in every),
        failed=sum(each.failed for each in every),
    )


@contextmanager
def _refreshing(lab: Laboratory) -> Iterator[None]:
    """A refresher at work on all products, whose prices move."""
    _make_due(lab.engine)
    stop = threading.Event()

    def move_prices() -> None:
        while not stop.wait(_PERIOD_S):
            lab.move_prices(_CHANGED_PERCENT)

    mover = threading.Thread(target=move_prices)
    with steady.running(lab, _PERIOD_S):
        steady.until_all_are_fresh(lab)
        mover.start()
        try:
            yield
        finally:
            stop.set()
            mover.join()


def _make_due(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE products SET registered_at = NULL"))
        connection.execute(
            text("UPDATE refreshes SET due_at = UTC_TIMESTAMP(6), refreshed_at = NULL, pending = 1")
        )


def _processor_us(found: Iterable[Figures]) -> dict[str, dict[str, float]]:
    groups: dict[str, dict[str, float]] = {}
    for each in found:
        groups.setdefault(each.scenario, {})[each.server] = each.processor_us
    return groups


if __name__ == "__main__":
    main()
