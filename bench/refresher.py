"""How fast the refresher is, end to end: from the first claim to the last commit, on a MariaDB of its own.

    python bench/refresher.py                nothing, 10 % and 100 % of the offers changed; beside two loops

Each figure is a line of JSON. The service is bench/upstream.py: 10 offers a product, 100 ms latency. Start-up
is not included; the refresher is one process, warm after a first run.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click

# Started by its path, a script finds only what lies beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import loops
from bench.laboratory import Laboratory, RefresherProcess, laboratory, processor_s


@click.command()
@click.option("--products", "count", default=10_000, show_default=True)
@click.option("--latency", default=0.1, show_default=True, help="Seconds that each answer takes.")
@click.option("--database-url", help="An empty database; default: a MariaDB of its own, from the PATH.")
def main(count: int, latency: float, database_url: str | None) -> None:
    with laboratory(database_url, latency_s=latency) as lab:
        compare(lab, count)


def say(what: str, **figures: Any) -> None:
    rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps({"what": what, **rounded}), flush=True)


def compare(lab: Laboratory, count: int) -> None:
    with lab.refresher() as refresher:
        lab.add_products(count)
        measure(lab, refresher, "registered and read for the first time")
        for percent in (0, 10, 100):
            for _ in range(2):
                moved = lab.move_prices(percent)
                lab.make_due()
                measure(lab, refresher, f"{percent} % of the offers changed", offers_changed=moved)
    sequential = loops.one_after_the_other(lab.engine, lab.address, 100)
    say("requests, one after the other", products_per_s=sequential)
    threads = loops.in_threads(lab.engine, lab.address, 2_000)
    say(f"requests.Session, {loops.THREADS} threads", products_per_s=threads)


def measure(lab: Laboratory, refresher: RefresherProcess, what: str, **figures: Any) -> float:
    """One run over everything that is due; returns products per second."""
    others = {"database": lab.server_pid, "upstream": lab.upstream_pid}
    before = {name: processor_s(pid) for name, pid in others.items()}
    run = refresher.run()
    per_10_000 = 10_000 / run.refreshed
    used = {
        f"{name}_processor_s_per_10_000": (processor_s(pid) - before[name]) * per_10_000
        for name, pid in others.items()
    }
    say(
        what,
        products=run.refreshed,
        products_per_s=run.refreshed / run.seconds,
        processor_s_per_10_000=run.processor_s * per_10_000,
        peak_mib=run.peak_mib,
        **used,
        **figures,
    )
    return run.refreshed / run.seconds


if __name__ == "__main__":
    main()
