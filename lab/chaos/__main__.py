"""Chaos: workers and database servers are killed with -9, and the service has faults, at random moments.

    python -m lab.chaos
    python -m lab.chaos --node mysql+pymysql://root:root@127.0.0.1:33061/chaos \\
        --kill-command 'docker kill chaos-mysql' --start-command 'docker start chaos-mysql'

Three refreshers share the work on an empty database, callers write own offers through the API, and notifiers
tell receivers that fail and hang what a thousand alert rules find. In the end everything that was ever
stored is compared with the answers of the Offers service and the writes of callers, and the events with the
history.
Without --node the database is a MariaDB of its own. Several --node are the nodes of one cluster: each
refresher works on another, and `{node}` in the commands is the number of the one to kill or start, from 1.
The exit code is 1 when a promise was broken.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from lab.catalogue import Catalogue
from lab.chaos.plan import Plan
from lab.chaos.run import run
from lab.chaos.servers import CommandedServers, DatabaseServers, own_mariadb
from productator.database import migrate
from productator.database.engine import make_engine

_STARTED = time.monotonic()


@click.command()
@click.option("--refresher-kills", default=200, show_default=True)
@click.option("--notifier-kills", default=100, show_default=True)
@click.option("--database-kills", default=50, show_default=True)
@click.option("--faults", default=10_000, show_default=True)
@click.option("--products", default=600, show_default=True)
@click.option("--refreshers", default=3, show_default=True)
@click.option("--rules", default=1_000, show_default=True)
@click.option("--period", default=10.0, show_default=True, help="Seconds between two refreshes of a product.")
@click.option("--seed", default=1, show_default=True)
@click.option("--longest", default=3600.0, show_default=True, help="Ends after so many seconds in any case.")
@click.option("--node", "nodes", multiple=True, help="An empty database; default: a MariaDB of its own.")
@click.option("--kill-command", help="Kills the server of --node with -9.")
@click.option("--start-command", help="Starts it again with its data.")
def main(
    *,
    refresher_kills: int,
    notifier_kills: int,
    database_kills: int,
    faults: int,
    products: int,
    refreshers: int,
    rules: int,
    period: float,
    seed: int,
    longest: float,
    nodes: Sequence[str],
    kill_command: str | None,
    start_command: str | None,
) -> None:
    """Breaks everything again and again, and checks that all promises were kept."""
    if nodes and not (kill_command and start_command) and database_kills:
        raise click.UsageError("--node needs --kill-command and --start-command, or --database-kills 0.")
    plan = Plan(
        refresher_kills=refresher_kills,
        notifier_kills=notifier_kills,
        database_kills=database_kills,
        faults=faults,
        seed=seed,
        products=products,
        refreshers=refreshers,
        rules=rules,
        period_s=period,
        longest_s=longest,
    )
    # SIGTERM ends this process through its context managers, which stop everything it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    say(f"{plan}")
    with _servers(nodes, kill_command or "", start_command or "") as (servers, folder):
        findings = run(plan, servers, folder, say)
    for figure in findings.figures:
        print(figure)
    sys.exit(1 if findings.broken else 0)


@contextmanager
def _servers(nodes: Sequence[str], kill: str, start: str) -> Iterator[tuple[DatabaseServers, Path]]:
    with tempfile.TemporaryDirectory(prefix="productator-chaos-") as name:
        folder = Path(name)
        if not nodes:
            with own_mariadb(folder) as servers:
                yield servers, folder
            return
        engine = make_engine(nodes[0])
        migrate.migrate(engine)
        if Catalogue(engine).remote_ids():
            raise click.ClickException("The database is not empty: chaos needs an empty one.")
        engine.dispose()
        commanded = CommandedServers(nodes, kill, start)
        yield commanded, folder
        commanded.stop()


def say(text: str) -> None:
    print(f"{time.monotonic() - _STARTED:7.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
