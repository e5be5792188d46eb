"""The refresher's promises, tested for long: the real programs, at their real pace, on any database.

    python -m lab.proofs.refreshing two-refreshers --database-url mysql+pymysql://root@127.0.0.1/proofs
    python -m lab.proofs.refreshing faults
    python -m lab.proofs.refreshing restarts --seconds 600

The database must be empty; without --database-url it is an SQLite file that is removed afterwards. The exit
code is 1 when a promise was broken.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
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
    """Runs Productator for long, disturbs it, and checks its promises."""


def say(text: str) -> None:
    print(f"{time.monotonic() - _STARTED:7.1f} s  {text}", flush=True)


class Promises:
    """Prints each promise, and ends with 1 if one was broken."""

    def __init__(self) -> None:
        self._broken: list[str] = []

    def expect(self, holds: object, promise: str) -> None:
        say(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
        if not holds:
            self._broken.append(promise)

    def end(self) -> None:
        sys.exit(1 if self._broken else 0)


@contextmanager
def running_system(database_url: str | None) -> Iterator[tuple[System, Catalogue]]:
    with tempfile.TemporaryDirectory(prefix="productator-refreshing-") as folder:
        url = database_url or f"sqlite:///{folder}/refreshing.db"
        engine = make_engine(url)
        migrate.migrate(engine)
        catalogue = Catalogue(engine)
        if catalogue.remote_ids():
            raise click.ClickException("The database is not empty: a proof needs an empty one.")
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
    promises = Promises()
    with running_system(database_url) as (system, catalogue):
        system.variables["REFRESHER_PERIOD"] = f"{period:g}"
        simulator = system.simulator(tick_s=15)
        refreshers = [system.refresher(), system.refresher()]
        catalogue.add_products(products)
        say(f"{products} products created, 2 refreshers, a period of {period:g} s, {periods} periods")
        eventually(lambda: not catalogue.stale_since(NEVER), within_s=2 * period)
        # From now on each product is due at its own slot.
        simulator.control("DELETE", "log")
        time.sleep(periods * period)
        times = reads_by_product(simulator.log())
        shares = [int(refresher.refreshed) for refresher in refreshers]
        promises.expect(are_running(system.programs), "no process ended")
        reads = Counter(len(of) for of in times.values())
        say(f"products by how often they were read: {dict(reads)}")
        # A product whose slot is now may have been read once more or once less.
        promises.expect(
            sum(reads.values()) == products and max(reads) - min(reads) <= 2,
            "every product was read once a period",
        )
        gaps = periods_between_reads(times, period)
        say(f"periods between two reads of a product: {dict(gaps)}")
        promises.expect(gaps.keys() == {1}, "no product was read twice within half a period, none left out")
        say(f"products refreshed by each: {shares}; calls: {simulator.control('GET', 'counts')}")
        promises.expect(min(shares) > 0, "both refreshers worked")
        promises.expect([each.stop() for each in refreshers] == [0, 0], "both refreshers ended with 0")
        promises.expect(not catalogue.count_claims(), "no claim is left")
    promises.end()


@main.command()
@_database_url
@click.option("--products", default=100, show_default=True)
@click.option("--period", default=30.0, show_default=True)
@click.option("--seconds", default=20.0, show_default=True, help="How long each fault lasts.")
@click.option("--share", default=0.3, show_default=True, help="Of the calls that a fault strikes.")
def faults(database_url: str | None, products: int, period: float, seconds: float, share: float) -> None:
    """Every fault in turn, then an outage, then recovery."""
    promises = Promises()
    with running_system(database_url) as (system, catalogue):
        system.variables["REFRESHER_PERIOD"] = f"{period:g}"
        simulator = system.simulator()
        system.refresher()
        # Spread over a period: something is due under every fault.
        catalogue.add_products(products, over_s=period)
        eventually(lambda: not catalogue.stale_since(NEVER))
        say(f"{products} products; each fault strikes {share:.0%} of the calls for {seconds:g} s")
        for fault in FAULTS:
            _strike(simulator, catalogue, promises, fault | {"share": share}, for_s=seconds)
        _check_recovery(simulator, catalogue, promises, period)
        _strike(simulator, catalogue, promises, {"kind": "close"}, for_s=2 * period)
        _check_recovery(simulator, catalogue, promises, period)
        promises.expect(are_running(system.programs), "no process ended")
        say(f"calls: {simulator.control('GET', 'counts')}")
    promises.end()


def _strike(
    simulator: Simulator,
    catalogue: Catalogue,
    promises: Promises,
    fault: dict[str, object],
    *,
    for_s: float,
) -> None:
    simulator.set_faults(fault)
    simulator.control("POST", "tick")
    time.sleep(for_s)
    wrong = len(wrongly_stored(simulator, catalogue))
    promises.expect(
        not wrong, f"{fault}: struck {simulator.fired()[0]} times, {wrong} products wrongly stored"
    )


def _check_recovery(simulator: Simulator, catalogue: Catalogue, promises: Promises, period: float) -> None:
    simulator.control("POST", "tick")
    simulator.control("DELETE", "faults")
    back, began = utc_now(), time.monotonic()

    def is_fresh() -> bool:
        return not catalogue.stale_since(back)

    try:
        eventually(is_fresh, within_s=2 * period + _SLACK_S)
    except AssertionError:
        say(f"stale: {len(catalogue.stale_since(back))} products")
    took_s = time.monotonic() - began
    promises.expect(is_fresh(), f"all products were fresh {took_s:.1f} s after the service's return")
    truth = {each: simulator.truth(each) for each in catalogue.listings()}
    promises.expect(catalogue.listings() == truth, "the stored offers are those of the service")


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
    """Generation 2, programs restarted at random: one access token a lifetime, and no program locked out."""
    promises = Promises()
    with running_system(database_url) as (system, catalogue):
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
        promises.expect(are_running([simulator, *programs]), "no process ended")
        _check_tokens(simulator, promises, token_lifetime, time.time() - began)
        reads = sorted(entry["time"] for entry in simulator.log("offers") if entry["status"] == 200)
        longest_s = max(later - earlier for earlier, later in pairwise(reads))
        # While both restart, no refresher works for as long as a start takes.
        promises.expect(longest_s < 2 * period, f"the longest time without a read was {longest_s:.1f} s")
    promises.end()


def _check_tokens(simulator: Simulator, promises: Promises, lifetime_s: int, lasted_s: float) -> None:
    calls = simulator.log("auth")
    statuses = Counter(entry["status"] for entry in calls)
    say(f"/auth by status: {dict(statuses)}; calls: {simulator.control('GET', 'counts')}")
    lifetimes = lasted_s / lifetime_s
    promises.expect(
        statuses[201] <= lifetimes * 1.1 + 1, f"{statuses[201]} tokens in {lifetimes:.1f} lifetimes"
    )
    promises.expect(len(calls) - statuses[201] <= 1, f"{len(calls) - statuses[201]} calls of /auth failed")


if __name__ == "__main__":
    main()
