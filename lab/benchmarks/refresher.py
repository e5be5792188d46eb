"""How fast the refresher is, end to end: from the first claim to the last commit, on a MariaDB of its own.

python -m lab.benchmarks.refresher ...
    compare   with 0 %, 10 % and 100 % of the offers changed; beside two loops. Writes docs/performance.md
    together  two refreshers beside one, in turns
    history   without latency, with and without recording history, in turns
    rules     with no alert rule, and with one for each product, in turns
    growth    1,000, 10,000, 100,000 products: the cost of one, the plans of claims
    steady    30,000 products every 30 s: how old their offers get
    cycles    1,000 refreshes of unchanged offers: how many rows they write

Each figure is a line of JSON. The service is `lab.benchmarks.upstream`: 10 offers a product, 100 ms latency.
The refresher is one process, started before and warm. On a busy machine compare processor seconds.
"""

import os

import click

from lab.benchmarks import loops, report
from lab.benchmarks.claim_plans import claim_cost_us, claim_plans
from lab.benchmarks.laboratory import laboratory
from lab.benchmarks.refresher_runs import beside_two, measure, measure_again, say, table, without_history
from lab.benchmarks.steady import observe
from lab.benchmarks.write_counts import WriteCounts

_latency = click.option("--latency", default=0.1, show_default=True, help="Seconds that each answer takes.")
_database_url = click.option(
    "--database-url", help="An empty database; default: a MariaDB of its own, from the PATH."
)


@click.group()
def main() -> None:
    """Measures the refresher."""


@main.command()
@click.option("--products", default=10_000, show_default=True)
@_latency
@_database_url
def compare(products: int, latency: float, database_url: str | None) -> None:
    """The refresher beside the loops that most people write."""
    load = os.getloadavg()
    with laboratory(database_url, latency_s=latency) as lab, lab.refresher() as refresher:
        lab.add_products(products)
        found = [measure(lab, refresher, "registered and read for the first time")]
        for percent, runs in ((0, 2), (10, 5), (100, 2)):
            found += [measure_again(lab, refresher, percent) for _ in range(runs)]
        loop = loops.one_after_the_other(lab.engine, lab.address, 100)
        found.append(say("requests, one after the other", products_per_s=loop))
        threads = loops.in_threads(lab.engine, lab.address, 2_000)
        found.append(say(f"requests.Session, {loops.THREADS} threads", products_per_s=threads))
        found += beside_two(lab, products, rounds=3)
    # The server of an address of one's own has one empty database only, which is used now.
    if database_url is None:
        found += without_history(products, rounds=5)
        about = f"{report.machine(load)}; {products:,} products, {latency * 1_000:.0f} ms latency."
        report.write_section("refresher", f"{about}\n\n{table(found)}")


@main.command()
@click.option("--products", default=10_000, show_default=True)
@_latency
@_database_url
def together(products: int, latency: float, database_url: str | None) -> None:
    """Two refreshers that share the work, beside one, with 10 % of the offers changed."""
    with laboratory(database_url, latency_s=latency) as lab, lab.refresher() as refresher:
        lab.add_products(products)
        refresher.run()
        beside_two(lab, products, rounds=5)


@main.command()
@click.option("--products", default=10_000, show_default=True)
def history(products: int) -> None:
    """What recording 10 % of changed offers costs, without latency."""
    without_history(products, rounds=5)


@main.command()
@click.option("--products", default=10_000, show_default=True)
@_latency
@_database_url
def rules(products: int, latency: float, database_url: str | None) -> None:
    """What alert rules cost the refresher: all offers change, without rules and with one for each product."""
    with laboratory(database_url, latency_s=latency) as lab, lab.refresher() as refresher:
        lab.add_products(products)
        measure(lab, refresher, "registered and read for the first time")
        for _ in range(3):
            for active in (False, True):
                lab.set_rules(active=active)
                say("rules for all products" if active else "no rules")
                for percent in (10, 100):
                    measure_again(lab, refresher, percent)


@main.command()
@click.option("--most", default=100_000, show_default=True)
@_latency
@_database_url
def growth(most: int, latency: float, database_url: str | None) -> None:
    """The cost of one product among many."""
    with laboratory(database_url, latency_s=latency) as lab, lab.refresher() as refresher:
        so_far = 0
        for products in (each for each in (1_000, 10_000, 100_000) if each <= most):
            lab.add_products(products - so_far)
            so_far = products
            measure(lab, refresher, "registered and read for the first time")
            for percent in (0, 10):
                measure_again(lab, refresher, percent)
            lab.make_due()
            say("claims", products=products, us_per_product=claim_cost_us(lab.engine))
            measure(lab, refresher, "0 % of the offers changed")
        lab.make_due()
        for plan in claim_plans(lab.engine):
            say("plan", **plan)


@main.command()
@click.option("--products", default=30_000, show_default=True)
@click.option("--period", default=30, show_default=True)
@click.option("--periods", default=5, show_default=True, help="To observe, after two to settle.")
@click.option("--percent", default=10.0, show_default=True, help="Of the offers change each period.")
@click.option("--burst", default=0, show_default=True, help="Products that are imported meanwhile.")
@_latency
@_database_url
def steady(
    products: int,
    *,
    period: int,
    periods: int,
    percent: float,
    burst: int,
    latency: float,
    database_url: str | None,
) -> None:
    """The program as in production, for minutes: ages of offers, seconds between two reads of a product."""
    with laboratory(database_url, latency_s=latency) as lab:
        lab.add_products(products)
        for figures in observe(lab, period_s=period, periods=periods, percent=percent, burst=burst):
            say(**figures)


@main.command()
@click.option("--products", default=100, show_default=True)
@click.option("--cycles", "count", default=1_000, show_default=True)
@_database_url
def cycles(products: int, count: int, database_url: str | None) -> None:
    """The rows that a thousand cycles write without any change: two updates of each product's schedule."""
    with laboratory(database_url, latency_s=0) as lab, lab.refresher() as refresher:
        lab.add_products(products)
        refresher.run()
        counts = WriteCounts(lab.engine)
        for _ in range(count):
            lab.make_due()
            refresher.run()
        written = counts.since_start()
        # In each cycle a product is made due here, claimed and scheduled.
        expected = {"inserted": 0, "deleted": 0, "updated": 3 * products * count, "auto_increment": 0}
        say("rows written by unchanged cycles", cycles=count, products=products, **written)
        if written != expected:
            raise click.ClickException(f"Expected were {expected}.")


if __name__ == "__main__":
    main()
