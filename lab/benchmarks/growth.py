"""What reads cost among more and more products, and among more and more history.

    python -m lab.benchmarks.growth [--products 1000000] [--changes 100000000] [--seconds 5]

For each size, up to the given numbers, a MariaDB of its own is filled, and wrk asks one API. The figure is
processor time, of API and database together, over the requests. Writes the plots and the section of
docs/performance.md. A hundred million changes need 25 GB of disk, and some half an hour.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from lab.benchmarks import filling, history, report, servers, wrk
from lab.benchmarks.laboratory import Laboratory, laboratory, processor_s
from lab.benchmarks.plots import lines
from lab.processes.system import System

_CHANGES_A_PRODUCT = 5_000
_WARM_UP_S = 2

# Each is a Lua expression for the path below /api/v1/products; `product` is a random one.
_READS = {
    "a product": '"/" .. product',
    "its 10 offers": '"/" .. product .. "/offers"',
    "an offer": f'"/" .. product .. "/offers/" .. product * {filling.OFFERS}',
    "50 products": '"?limit=50"',
    "50 newest products": '"?limit=50&sort=-created_at"',
}
_HISTORY = {
    "an offer's changes": '"/" .. product .. "/offers/history"',
    "price history, 30 days": '"/" .. product .. "/price-history"',
    "price trend, 30 days": '"/" .. product .. "/price-trend"',
    "price summary": '"/" .. product .. "/price-summary"',
}
Series = dict[str, list[tuple[float, float]]]


@click.command()
@click.option("--products", "most_products", default=1_000_000, show_default=True)
@click.option("--changes", "most_changes", default=100_000_000, show_default=True)
@click.option("--seconds", default=5, show_default=True, help="How long each read is asked for.")
def main(most_products: int, most_changes: int, seconds: int) -> None:
    wrk.require()
    load = os.getloadavg()
    products = [each for each in (1_000, 100_000, 1_000_000) if each <= most_products]
    changes = [each for each in (1_000_000, 10_000_000, 100_000_000) if each <= most_changes]
    reads = _series(products, _READS, _fill_products, seconds)
    among_changes = _series(changes, _HISTORY, _fill_history, seconds)
    report.write_plot("growth-products", lines(reads, unit="µs", things="products"))
    report.write_plot("growth-changes", lines(among_changes, unit="µs", things="changes"))
    parts = [
        f"{report.machine(load)}; {seconds} s each.",
        "![Reads among products](plots/growth-products.svg)",
        _table("products", products, reads),
        "![Reads among changes](plots/growth-changes.svg)",
        _table("changes", changes, among_changes),
    ]
    report.write_section("growth", "\n\n".join(parts))


def _series(
    sizes: list[int],
    paths: Mapping[str, str],
    fill: Callable[[Laboratory, int], int],
    seconds: int,
) -> Series:
    found: Series = {name: [] for name in paths}
    for size in sizes:
        with ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            lab = running.enter_context(laboratory(None, latency_s=0, memory="6G"))
            products = fill(lab, size)
            system = System(lab.url, folder)
            running.callback(system.stop_all)
            server = servers.ours(system)
            for name, path in paths.items():
                script = folder / "requests.lua"
                local = f"local product = math.random(1, {products})"
                request = f'{local} return wrk.format("GET", "/api/v1/products" .. {path})'
                wrk.write_script(script, request)
                cost = _microseconds(lab, server, script, seconds)
                found[name].append((size, cost))
                print(f"{name}, {size:,}: {cost:,.0f} µs", flush=True)
    return found


def _fill_products(lab: Laboratory, count: int) -> int:
    filling.fill(lab.engine, 1, count)
    return count


def _fill_history(lab: Laboratory, changes: int) -> int:
    """Each product has as much history, whatever their number."""
    products = changes // _CHANGES_A_PRODUCT
    history.fill(lab.engine, changes, products)
    return products


def _microseconds(lab: Laboratory, server: servers.MeasuredServer, script: Path, seconds: int) -> float:
    """Of the API and the database, for a request."""
    wrk.run(script, server.address, clients=8, seconds=_WARM_UP_S)
    before = server.processor_s + processor_s(lab.server_pid)
    answers = wrk.run(script, server.address, clients=8, seconds=seconds)
    return (server.processor_s + processor_s(lab.server_pid) - before) / answers.requests * 1e6


def _table(things: str, sizes: list[int], series: Series) -> str:
    rows = [[name, *(f"{cost:,.0f} µs" for _, cost in each)] for name, each in series.items()]
    return report.table(["read", *(f"{size:,} {things}" for size in sizes)], rows)


if __name__ == "__main__":
    main()
