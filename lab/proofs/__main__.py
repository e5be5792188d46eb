"""The API's promises, tested for long: real uWSGI, a real database, many callers, things going wrong.

    python -m lab.proofs writers
    python -m lab.proofs keys --keys 100
    python -m lab.proofs stops --database-url mysql+pymysql://root@127.0.0.1/proofs
    python -m lab.proofs hang --seconds 60 --replicas 2
    python -m lab.proofs drip --clients 50
    python -m lab.proofs lists --offers 60000
    python -m lab.proofs soak --minutes 30
    python -m lab.proofs rolling --rate 50
    python -m lab.proofs fuzz --examples 50
    python -m lab.proofs galera --help             (or group-replication: they need servers)

The database must be empty. Without --database-url a proof creates one on the server nearest to production:
the one that TEST_MYSQL_URL names, else MariaDB (TEST_MARIADB_URL, or started privately), else SQLite. The
exit code is 1 when a promise was broken.
"""

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from sqlalchemy import Engine, make_url, select

from lab import databases
from lab.catalogue import Catalogue
from lab.processes.proxy import start_proxy
from lab.processes.system import System
from lab.proofs.cluster_commands import cluster_command
from lab.proofs.concurrent_writers import write_concurrently
from lab.proofs.fuzzing import PHASES
from lab.proofs.fuzzing import fuzz as run_schemathesis
from lab.proofs.hanging_database import hang_under_load
from lab.proofs.idempotency_keys import send_keys
from lab.proofs.long_lists import write_during_long_lists
from lab.proofs.rolling_restart import restart_under_load
from lab.proofs.slow_clients import drip_during_reads
from lab.proofs.soak import growing, watch_under_load
from lab.proofs.stops_under_load import StopResult, stop_under_load
from productator.database import migrate
from productator.database.engine import make_engine
from productator.models import Product

_database_url = click.option("--database-url", help="An empty database; default: one on the best server.")


@click.group()
def main() -> None:
    """Tests for long what the API promises."""


main.add_command(cluster_command("galera"))
main.add_command(cluster_command("group-replication"))


@contextmanager
def running_system(database_url: str | None) -> Iterator[tuple[System, Engine]]:
    with ExitStack() as stack:
        url = database_url or stack.enter_context(databases.new_on_the_best())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="productator-proofs-"))
        print(f"database: {make_url(url).render_as_string(hide_password=True)}", flush=True)
        engine = make_engine(url)
        stack.callback(engine.dispose)
        migrate.migrate(engine)
        system = System(url, Path(folder))
        stack.callback(system.stop_all)
        yield system, engine


def conclude(is_as_promised: object, figures: str) -> None:
    """Prints the result; ends with 1 if the promise was broken."""
    print(f"{'kept  ' if is_as_promised else 'BROKEN'}  {figures}", flush=True)
    if not is_as_promised:
        sys.exit(1)


@main.command()
@_database_url
@click.option("--offers", default=60_000, show_default=True, help="Offers of each product.")
@click.option("--products", default=60, show_default=True)
@click.option("--seconds", default=60, show_default=True, help="How long clients write meanwhile.")
def lists(*, database_url: str | None, offers: int, products: int, seconds: int) -> None:
    """Long lists of offers: the refresher stays small, and nobody's write waits for it."""
    with running_system(database_url) as (system, engine):
        result = write_during_long_lists(
            system, engine, offers=offers, products=products, for_s=float(seconds)
        )
        conclude(result.is_as_promised, str(result))


@main.command()
@_database_url
@click.option("--writers", default=16, show_default=True)
@click.option("--writes", default=10_000, show_default=True, help="Acknowledged writes, in all.")
@click.option("--products", default=4, show_default=True)
def writers(*, database_url: str | None, writers: int, writes: int, products: int) -> None:
    """Many writers, few products, If-Match: no acknowledged update is lost."""
    with running_system(database_url) as (system, _):
        written = write_concurrently(system.api(), writers=writers, writes=writes, products=products)
        conclude(
            written.is_as_promised,
            f"{writers} writers on {products} products: {written.acknowledged} acknowledged,"
            f" {written.counted} counted, {written.acknowledged - written.counted} lost,"
            f" {written.versions} versions, {written.conflicts} conflicts (412), each repeated,"
            f" other answers {dict(written.others)}, {written.seconds:.0f} s",
        )


@main.command()
@_database_url
@click.option("--keys", default=1_000, show_default=True)
@click.option("--duplicates", default=10, show_default=True, help="How many clients send each key at once.")
@click.option("--seed", default=1, show_default=True)
def keys(*, database_url: str | None, keys: int, duplicates: int, seed: int) -> None:
    """Duplicates at once while workers are killed with -9: each key has one effect and one answer."""
    with running_system(database_url) as (system, _):
        sent = send_keys(system.api(), keys=keys, duplicates=duplicates, seed=seed)
        conclude(
            sent.is_as_promised,
            f"{keys} keys x {duplicates} at once, {sent.kills} workers killed: {sent.effects} effects,"
            f" {len(sent.unlike)} keys with unlike answers, {len(sent.stuck)} stuck,"
            f" sent again after {dict(sent.repeated)}, {sent.seconds:.0f} s",
        )


@main.command()
@_database_url
@click.option("--stops", default=200, show_default=True)
@click.option("--clients", default=8, show_default=True)
@click.option("--seed", default=1, show_default=True)
def stops(*, database_url: str | None, stops: int, clients: int, seed: int) -> None:
    """SIGTERM under load: every request that a worker has accepted is answered, and each stop ends with 0."""
    chance = random.Random(seed)
    seen = []
    with running_system(database_url) as (system, engine):
        for number in range(stops):
            api, after_s = system.api(), chance.uniform(0.05, 0.6)
            seen.append(stop_under_load(api, clients=clients, after_s=after_s, prefix=f"stop-{number}"))
        with engine.connect() as connection:
            stored = set(connection.scalars(select(Product.name)))
    created = set().union(*(stopped.created for stopped in seen))
    failed = sum(len(stopped.failed) for stopped in seen)
    unanswered, missing = stored - created, created - stored
    conclude(
        not (failed or unanswered or missing or any(stopped.exit_code for stopped in seen)),
        f"{_figures(seen)}, stored but not answered {len(unanswered)},"
        f" answered but not stored {len(missing)}",
    )


@main.command()
@click.option("--seconds", default=60.0, show_default=True, help="For how long the database hangs.")
@click.option("--budget", default=8, show_default=True, help="PRODUCTATOR_REQUEST_BUDGET_S.")
@click.option("--replicas", default=1, show_default=True, help="APIs; more than one get a proxy.")
def hang(*, seconds: float, budget: int, replicas: int) -> None:
    """A MariaDB of its own hangs under 20 requests a second: all end in time, and /livez goes on."""
    with tempfile.TemporaryDirectory(prefix="productator-proofs-") as folder:
        server = databases.PrivateMariadb(Path(folder))
        server.start()
        try:
            server.wait_until_it_answers()
            with make_engine(server.url).connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE proofs")
            with running_system(f"{server.url}/proofs") as (system, _):
                system.variables["PRODUCTATOR_REQUEST_BUDGET_S"] = str(budget)
                system.variables["PRODUCTATOR_TRUSTED_PROXIES"] = "0" if replicas == 1 else "1"
                apis = [system.api() for _ in range(replicas)]
                proxy = None if replicas == 1 else start_proxy(system, *(api.port for api in apis))
                hung = hang_under_load(
                    apis[0], hang=server.pause, resume=server.resume, for_s=seconds, through=proxy
                )
                conclude(hung.is_as_promised(budget_s=budget), str(hung))
        finally:
            server.stop()


@main.command()
@_database_url
@click.option("--clients", default=50, show_default=True, help="Connections that drip.")
@click.option("--seconds", default=30.0, show_default=True)
def drip(*, database_url: str | None, clients: int, seconds: float) -> None:
    """Clients that send a byte at a time: /livez and reads take less than a second (p99)."""
    with running_system(database_url) as (system, _):
        dripped = drip_during_reads(system.api(), clients=clients, for_s=seconds)
        conclude(dripped.is_as_promised, f"{clients} dripping connections: {dripped}")


@main.command()
@_database_url
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--products", default=500, show_default=True)
@click.option(
    "--rate", default=10.0, show_default=True, help="Pieces of work a second, of one to six requests."
)
@click.option("--most", default=50.0, show_default=True, help="KiB that a process may grow in a minute.")
def soak(*, database_url: str | None, minutes: float, products: int, rate: float, most: float) -> None:
    """Requests of all kinds and refreshes of all products: memory, files and connections stay flat."""
    with running_system(database_url) as (system, engine):
        system.variables["REFRESHER_PERIOD"] = "5"
        system.simulator(tick_s=15)
        Catalogue(engine).add_products(products)
        api, refresher = system.api(), system.refresher()
        for_s = 60 * minutes
        trends = watch_under_load(
            api, [api, refresher], for_s=for_s, a_second=rate, every_s=min(10.0, for_s / 60)
        )
    for trend in trends:
        print(trend, flush=True)
    workers = [each for each in trends if "worker" in each.name and each.watched_s > for_s / 2]
    grew = growing(trends, for_s=for_s, most_bytes_a_minute=1024 * most)
    conclude(
        workers and not grew,
        f"{len(trends)} processes for {minutes:g} minutes; growing: {[each.name for each in grew] or 'none'}",
    )


@main.command()
@_database_url
@click.option("--replicas", default=2, show_default=True)
@click.option("--rate", default=50.0, show_default=True, help="Requests a second.")
def rolling(*, database_url: str | None, replicas: int, rate: float) -> None:
    """APIs behind the proxy are restarted one by one: no read and no change fails."""
    with running_system(database_url) as (system, _):
        sent = restart_under_load(system, replicas=replicas, per_s=rate)
        conclude(sent.sent and not sent.failed, str(sent))


def _figures(seen: list[StopResult]) -> str:
    requests = [request for stopped in seen for request in stopped.all]
    waiting = [request for stopped in seen for request in stopped.waiting]
    return (
        f"{len(seen)} stops, exit codes {dict(Counter(stopped.exit_code for stopped in seen))},"
        f" the longest {max(stopped.seconds for stopped in seen):.1f} s: {len(requests)} requests,"
        f" {sum(len(stopped.in_flight) for stopped in seen)} in flight at the signal,"
        f" {sum(len(stopped.failed) for stopped in seen)} of them failed;"
        f" {len(waiting)} waited for a worker, {sum(not each.answer for each in waiting)} of them reset;"
        f" answers {dict(sum((stopped.statuses for stopped in seen), Counter[int]()))}"
    )


@main.command()
@_database_url
@click.option("--examples", default=400, show_default=True, help="For each operation, in each phase.")
@click.option("--cases", default=20_000, show_default=True, help="So many in all, at least.")
def fuzz(*, database_url: str | None, examples: int, cases: int) -> None:
    """Schemathesis with all phases and checks: every answer is as the OpenAPI document describes it."""
    with running_system(database_url) as (system, _):
        api = system.api()
        runs = [run_schemathesis(system, api, examples=examples)]
        print(runs[0].printed, flush=True)
        # A stateful run ends early when stored rows make an answer differ from its repetition: begin many.
        while runs[-1].is_as_promised and sum(run.cases for run in runs) < cases:
            runs.append(run_schemathesis(system, api, examples=examples, phases=["fuzzing", "stateful"]))
    for phase in PHASES:
        answers = sum((Counter(run.answers.get(phase, {})) for run in runs), Counter[str]())
        print(f"{phase}: {sum(answers.values())} answers {dict(sorted(answers.items()))}")
    if not runs[-1].is_as_promised:
        print(runs[-1].printed)
    figures = (
        f"{sum(run.cases for run in runs)} cases, {sum(run.server_errors for run in runs)} server errors"
    )
    conclude(runs[-1].is_as_promised, f"{figures}, {len(runs)} runs")


if __name__ == "__main__":
    main()
