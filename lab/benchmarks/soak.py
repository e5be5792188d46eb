"""The long forms of the system tests: the real programs, at their real pace, on a database of your choice.

    python -m lab.benchmarks.soak two-refreshers --database-url mysql+pymysql://root@127.0.0.1/soak
    python -m lab.benchmarks.soak faults
    python -m lab.benchmarks.soak restarts --seconds 600

The database must be empty; without --database-url it is an SQLite file that is removed afterwards. The exit
code is 1 when something was not as it should be.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import click

from lab.catalogue import NEVER, Catalogue, wrongly_stored
from lab.fault_rules import FAULTS
from lab.processes.program import Program
from lab.processes.simulator import Simulator
from lab.processes.system import System
from lab.reads import periods_between_reads, reads_by_product
from lab.waiting import eventually
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import utc_now

_SLACK_S = 5.0
_STARTED = time.monotonic()
_database_url = click.option("--database-url", help="An empty database; default: a temporary SQLite file.")


@click.group()
def main() -> None:
    """Soaks Productator: runs it for long, disturbs it, and looks whether it kept its promises."""


def say(text: str) -> None:
    print(f"{time.monotonic() - _STARTED:7.1f} s  {text}", flush=True)


class Verdict:
    """Collects what was not as it should be."""

    def __init__(self) -> None:
        self._broken: list[str] = []

    def expect(self, holds: object, promise: str) -> None:
        say(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
        if not holds:
            self._broken.append(promise)

    def end(self) -> None:
        sys.exit(1 if self._broken else 0)


@contextmanager
def laboratory(database_url: str | None) -> Iterator[tuple[System, Catalogue]]:
    with tempfile.TemporaryDirectory(prefix="productator-soak-") as folder:
        url = database_url or f"sqlite:///{folder}/soak.db"
        engine = make_engine(url)
        migrate.migrate(engine)
        catalogue = Catalogue(engine)
        if catalogue.remote_ids():
            raise click.ClickException("The database is not empty: a soak needs one of its own.")
        say(f"database: {engine.url.render_as_string(hide_password=True)}")
        system = System(url, Path(folder))
        try:
            yield system, catalogue
        except BaseException:
            print(system.report())
            raise
        finally:
            left = system.stop_all()
            engine.dispose()
            say(f"processes left behind: {left or 'none'}")


def are_running(programs: list[Program]) -> bool:
    return all(program.is_running for program in programs)


@main.command()
@_database_url
@click.option("--products", default=500, show_default=True)
@click.option("--period", default=30.0, show_default=True, help="Seconds between two refreshes of a product.")
@click.option("--periods", default=5, show_default=True)
def two_refreshers(database_url: str | None, products: int, period: float, periods: int) -> None:
    """Two refreshers share the work: every product once a period, none twice."""
    verdict = Verdict()
    with laboratory(database_url) as (system, catalogue):
        system.variables["REFRESHER_PERIOD"] = f"{period:g}"
        simulator = system.simulator(tick_s=15)
        refreshers = [system.refresher(), system.refresher()]
        catalogue.add_products(products)
        say(f"{products} products created, 2 refreshers, a period of {period:g} s, {periods} periods")
        eventually(lambda: not catalogue.stale_since(NEVER), within_s=2 * period)
        # From here on each product has its slot.
        simulator.control("DELETE", "log")
        time.sleep(periods * period)
        times = reads_by_product(simulator.log())
        shares = [int(refresher.refreshed) for refresher in refreshers]
        verdict.expect(are_running(system.programs), "no process died")
        reads = Counter(len(of) for of in times.values())
        say(f"products by how often they were read: {dict(reads)}")
        # One whose slot is just now may have been read once more or once less.
        verdict.expect(
            sum(reads.values()) == products and max(reads) - min(reads) <= 2,
            "every product was read once a period",
        )
        gaps = periods_between_reads(times, period)
        say(f"periods between two reads of a product: {dict(gaps)}")
        verdict.expect(gaps.keys() == {1}, "no product was read twice within half a period, none left out")
        say(f"products refreshed by each: {shares}; calls: {simulator.control('GET', 'counts')}")
        verdict.expect(min(shares) > 0, "both refreshers worked")
        verdict.expect([each.stop() for each in refreshers] == [0, 0], "both refreshers ended with 0")
        verdict.expect(not catalogue.count_claims(), "no claim is left")
    verdict.end()


@main.command()
@_database_url
@click.option("--products", default=100, show_default=True)
@click.option("--period", default=30.0, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="How long each kind of fault lasts.")
@click.option("--share", default=0.3, show_default=True, help="Of the calls that a fault strikes.")
def faults(database_url: str | None, products: int, period: float, seconds: float, share: float) -> None:
    """Every kind of fault in turn, then a whole outage, then all is well again."""
    verdict = Verdict()
    with laboratory(database_url) as (system, catalogue):
        system.variables["REFRESHER_PERIOD"] = f"{period:g}"
        simulator = system.simulator()
        system.refresher()
        # So that something is due whatever the fault of the moment is.
        catalogue.add_products(products, over_s=period)
        eventually(lambda: not catalogue.stale_since(NEVER))
        say(f"{products} products; each fault strikes {share:.0%} of the calls for {seconds:g} s")
        for fault in FAULTS:
            _suffer(simulator, catalogue, verdict, fault | {"share": share}, for_s=seconds)
        _return_to_health(simulator, catalogue, verdict, period)
        _suffer(simulator, catalogue, verdict, {"kind": "close"}, for_s=2 * period)
        _return_to_health(simulator, catalogue, verdict, period)
        verdict.expect(are_running(system.programs), "no process died")
        say(f"calls: {simulator.control('GET', 'counts')}")
    verdict.end()


def _suffer(
    simulator: Simulator,
    catalogue: Catalogue,
    verdict: Verdict,
    fault: dict[str, object],
    *,
    for_s: float,
) -> None:
    simulator.set_faults(fault)
    simulator.control("POST", "tick")
    time.sleep(for_s)
    wrong = len(wrongly_stored(simulator, catalogue))
    verdict.expect(
        not wrong, f"{fault}: struck {simulator.fired()[0]} times, {wrong} products wrongly stored"
    )


def _return_to_health(simulator: Simulator, catalogue: Catalogue, verdict: Verdict, period: float) -> None:
    simulator.control("POST", "tick")
    simulator.control("DELETE", "faults")
    back, began = utc_now(), time.monotonic()
    fresh: Callable[[], bool] = lambda: not catalogue.stale_since(back)  # noqa: E731 - short
    try:
        eventually(fresh, within_s=2 * period + _SLACK_S)
    except AssertionError:
        say(f"stale: {len(catalogue.stale_since(back))} products")
    took_s = time.monotonic() - began
    verdict.expect(fresh(), f"all products were fresh {took_s:.1f} s after the service's return")
    truth = {each: simulator.truth(each) for each in catalogue.listings()}
    verdict.expect(catalogue.listings() == truth, "what is stored is what the service has")


@main.command()
@_database_url
@click.option("--products", default=50, show_default=True)
@click.option("--period", default=5.0, show_default=True)
@click.option("--seconds", default=240.0, show_default=True)
@click.option("--token-lifetime", default=20, show_default=True)
@click.option("--seed", default=1, show_default=True)
def restarts(
    *,
    database_url: str | None,
    products: int,
    period: float,
    seconds: float,
    token_lifetime: int,
    seed: int,
) -> None:
    """Generation 2, programs restarted at random: one access token a lifetime, and nobody locked out."""
    verdict = Verdict()
    with laboratory(database_url) as (system, catalogue):
        system.variables["REFRESHER_PERIOD"] = f"{period:g}"
        simulator = system.simulator("--token-lifetime", str(token_lifetime), generation=2, tick_s=15)
        programs: list[Program] = [system.api(), system.refresher(), system.refresher()]
        catalogue.add_products(products)
        began = time.time()
        chance = random.Random(seed)
        count = system.restart_at_random(programs, chance=chance, for_s=seconds)
        ended = utc_now()
        say(f"{count} restarts in {time.time() - began:.0f} s, each ended with 0")
        eventually(lambda: not catalogue.stale_since(ended), within_s=2 * period + _SLACK_S)
        say("all products fresh at the end")
        verdict.expect(are_running([simulator, *programs]), "no process died")
        _judge_tokens(simulator, verdict, token_lifetime, time.time() - began)
        reads = sorted(entry["time"] for entry in simulator.log("offers") if entry["status"] == 200)
        longest_s = max(later - earlier for earlier, later in pairwise(reads))
        # Two restarting at once leave nobody to work for as long as a start takes.
        verdict.expect(longest_s < 2 * period, f"the longest time without a read was {longest_s:.1f} s")
    verdict.end()


def _judge_tokens(simulator: Simulator, verdict: Verdict, lifetime_s: int, lasted_s: float) -> None:
    calls = simulator.log("auth")
    statuses = Counter(entry["status"] for entry in calls)
    say(f"/auth by status: {dict(statuses)}; calls: {simulator.control('GET', 'counts')}")
    lifetimes = lasted_s / lifetime_s
    verdict.expect(
        statuses[201] <= lifetimes * 1.1 + 1, f"{statuses[201]} tokens in {lifetimes:.1f} lifetimes"
    )
    verdict.expect(len(calls) - statuses[201] <= 1, f"{len(calls) - statuses[201]} calls of /auth in vain")


if __name__ == "__main__":
    main()
