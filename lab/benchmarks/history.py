"""How fast history is read among ten million changes, and what recording it costs the refresher.

    python -m lab.benchmarks.history reads --database-url URL [--changes 10000000] [--runs 200]
    python -m lab.benchmarks.history writes [--products 5000] [--rounds 5] [--percent 10] [--latency 0]

`reads` fills an empty database on MariaDB (and leaves it filled for the next run), asks for histories of
random products through the API, and prints times and plans: of products whose price changed every 26 minutes
for 90 days, and of busy ones, whose price changed every minute and whose older records are rolled up.
`writes` compares a refresher with history and one without: both read the same products in turn, and each time
a tenth of all offers has changed.
"""

import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import click
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, func, insert, select, text

from lab.benchmarks.laboratory import Laboratory, RefreshRun, laboratory
from lab.benchmarks.query_plans import QueryPlans
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import readers
from productator.domain import utc_now
from productator.models import Product

_PRODUCTS = 2_000
_BUSY_PRODUCTS = 20
_DAYS = 90
_RAW_DAYS = 14
_ROWS_A_STATEMENT = 50_000


@click.group()
def main() -> None:
    """Measures history."""


def fill(engine: Engine, changes: int, products: int = _PRODUCTS) -> None:
    """Creates products with ten offers each, which have changed in turn, evenly over ninety days."""
    with engine.connect() as connection:
        if connection.scalar(select(func.count()).select_from(Product)):
            return
    now, started = utc_now(), time.monotonic()
    row = {"description": "", "version": 1, "created_at": now, "updated_at": now}
    with engine.begin() as connection:
        rows = [
            row | {"id": each + 1, "name": f"Product {each}", "remote_id": str(uuid4())}
            for each in range(products + _BUSY_PRODUCTS)
        ]
        connection.execute(insert(Product), rows)
    per_product = changes // products
    values = {
        "per_product": per_product,
        "begin": (now - timedelta(days=_DAYS)).replace(tzinfo=None),
        "step_us": _DAYS * 86_400_000_000 // per_product,
    }
    for first in range(0, changes, _ROWS_A_STATEMENT):
        # MariaDB generates the numbers: nothing has to be sent.
        numbers = f"seq_{first}_to_{min(first + _ROWS_A_STATEMENT, changes) - 1}"
        for statement in (_CHANGES, _POINTS):
            with engine.begin() as connection:
                connection.execute(text(statement.format(numbers=numbers)), values)
    with engine.begin() as connection:
        for number in range(1, _BUSY_PRODUCTS + 1):
            busy = {"product_id": products + number, "now": now.replace(tzinfo=None)}
            connection.execute(text(_BUSY_HOURS), busy)
            connection.execute(text(_BUSY_MINUTES), busy)
        connection.execute(text("ANALYZE TABLE offer_changes, price_points"))
    print(f"{changes} changes and points written in {time.monotonic() - started:.0f} s")


_AT = "1 + seq DIV :per_product, :begin + INTERVAL (seq MOD :per_product) * :step_us MICROSECOND"
_CHANGES = f"""INSERT INTO offer_changes
    (product_id, changed_at, offer_id, kind, remote_id, price, items_in_stock)
    SELECT {_AT}, 10 * (seq DIV :per_product) + seq MOD 10 + 1, IF(seq MOD :per_product < 10, 1, 2),
        CONCAT('offer ', seq MOD 10), 1000 + seq * 7919 MOD 500, seq MOD 7 FROM {{numbers}}"""
_POINTS = f"""INSERT INTO price_points
    (product_id, starts_at, resolution_s, lowest_price, highest_price, average_price, offers, items_in_stock)
    SELECT {_AT}, 0, 1000 + seq * 7919 MOD 500, 1600 + seq MOD 300, 1000 * (1300 + seq MOD 200),
        10, seq MOD 70
    FROM {{numbers}}"""

# A busy product has a record an hour, and a record a minute for the last days.
_HOURS, _MINUTES = (_DAYS - _RAW_DAYS) * 24, _RAW_DAYS * 1_440
_BUSY_HOURS = f"""INSERT INTO price_points
    (product_id, starts_at, resolution_s, lowest_price, highest_price, average_price, offers, items_in_stock,
    mean_lowest_price, covered_s, in_stock_s, mean_offers, mean_items_in_stock)
    SELECT :product_id, DATE(:now) - INTERVAL {_DAYS * 24} - seq HOUR, 3600, 1000 + seq * 7919 MOD 500, 1900,
        1000 * (1300 + seq MOD 200), 10, seq MOD 70, 1000 * (1510 + seq MOD 200), 3600, 3600, 10000, 35000
    FROM seq_0_to_{_HOURS - 1}"""
_BUSY_MINUTES = f"""INSERT INTO price_points
    (product_id, starts_at, resolution_s, lowest_price, highest_price, average_price, offers, items_in_stock)
    SELECT :product_id, DATE(:now) - INTERVAL {_MINUTES} - seq MINUTE, 0, 1000 + seq * 7919 MOD 500, 1900,
        1000 * (1300 + seq MOD 200), 10, seq MOD 70
    FROM seq_0_to_{_MINUTES - 1}"""


@main.command()
@click.option("--database-url", required=True)
@click.option("--changes", default=10_000_000, show_default=True)
@click.option("--runs", default=200, show_default=True, help="How often each call is timed.")
def reads(database_url: str, changes: int, runs: int) -> None:
    """How long calls take among so many changes, and which indexes they use."""
    random.seed(7)
    engine = make_engine(database_url)
    migrate.migrate(engine)
    fill(engine, changes)
    app = _app_of_uwsgi(database_url)
    client = app.test_client()
    with app.app_context():
        plans = QueryPlans(readers().engine)
    print(f"{'':32}{'p50 ms':>9}{'p95 ms':>9}  plan")
    for label, path in CALLS.items():
        plan = plans.of(label, partial(_get, client, path()))
        times = sorted(_milliseconds(client, path()) for _ in range(runs))
        print(f"{label:32}{times[runs // 2]:9.1f}{times[int(runs * 0.95)]:9.1f}  {plan}", flush=True)


def _app_of_uwsgi(database_url: str) -> Flask:
    """The application as uWSGI loads it; its module reads the environment."""
    os.environ["DATABASE_URL"] = database_url
    app: Flask = import_module("productator.wsgi").app
    return app


def _product() -> str:
    return f"/api/v1/products/{random.randint(1, _PRODUCTS)}"


def _busy_product() -> str:
    return f"/api/v1/products/{random.randint(_PRODUCTS + 1, _PRODUCTS + _BUSY_PRODUCTS)}"


def _range(days: int) -> str:
    """A range of so many days within the filled ones."""
    begin = utc_now() - timedelta(days=random.uniform(days, _DAYS))
    return f"from={begin:%Y-%m-%dT%H:%M:%SZ}&to={begin + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def _offer_history() -> str:
    product_id = random.randint(1, _PRODUCTS)
    return f"/api/v1/products/{product_id}/offers/{10 * (product_id - 1) + random.randint(1, 10)}/history"


CALLS: dict[str, Callable[[], str]] = {
    "offers' history, first page": lambda: f"{_product()}/offers/history",
    "offers' history, 7 days": lambda: f"{_product()}/offers/history?limit=200&{_range(7)}",
    "an offer's history, 7 days": lambda: f"{_offer_history()}?limit=200&{_range(7)}",
    "price-history, 30 days": lambda: f"{_product()}/price-history",
    "price-history, 90 days by day": lambda: f"{_product()}/price-history?interval=day&{_range(90)}",
    "price-trend, 30 days": lambda: f"{_product()}/price-trend",
    "price-trend, 90 days": lambda: f"{_product()}/price-trend?{_range(90)}",
    "price-summary": lambda: f"{_product()}/price-summary",
    "busy: price-history, 30 days": lambda: f"{_busy_product()}/price-history",
    "busy: price-history, 90 days": lambda: f"{_busy_product()}/price-history?interval=day&{_range(90)}",
    "busy: price-trend, 30 days": lambda: f"{_busy_product()}/price-trend",
    "busy: price-trend, 90 days": lambda: f"{_busy_product()}/price-trend?{_range(90)}",
    "busy: price-summary": lambda: f"{_busy_product()}/price-summary",
}


def _get(client: FlaskClient, path: str, _connection: Connection) -> None:
    client.get(path)


def _milliseconds(client: FlaskClient, path: str) -> float:
    started = time.perf_counter()
    response = client.get(path)
    assert response.status_code == HTTPStatus.OK, response.text
    return (time.perf_counter() - started) * 1_000


@main.command()
@click.option("--products", "count", default=5_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--percent", default=10.0, show_default=True, help="Of all offers change each time.")
@click.option("--latency", "latency_s", default=0.0, show_default=True, help="Of the service, in seconds.")
@click.option("--database-url", default=None, help="An empty database; default: a MariaDB of its own.")
def writes(count: int, rounds: int, percent: float, latency_s: float, database_url: str | None) -> None:
    """Products per second of a refresher with history and of one without, in turns."""
    with laboratory(database_url, latency_s=latency_s) as lab:
        found = cost_of_recording(lab, count, rounds, percent)
    for label, runs in found.items():
        speeds = [run.refreshed / run.seconds for run in runs]
        print(
            f"{label:8} history {statistics.median(speeds):8.0f} products/s",
            [round(each) for each in speeds],
            f"{processor_us(runs):.0f} µs of processor time a product",
        )
    pairs = zip(found["with"], found["without"], strict=True)
    ratios = [a.refreshed / a.seconds / (b.refreshed / b.seconds) for a, b in pairs]
    print(f"with / without {statistics.median(ratios):.2f}")


def cost_of_recording(
    lab: Laboratory, products: int, rounds: int, percent: float
) -> dict[str, list[RefreshRun]]:
    """The runs of a refresher "with" history and of one "without", in turns, on an empty database."""
    found: dict[str, list[RefreshRun]] = {"with": [], "without": []}
    with lab.refresher() as with_history, lab.refresher("--without-history") as without_history:
        lab.add_products(products)
        with_history.run()
        for _ in range(rounds):
            for label, refresher in (("without", without_history), ("with", with_history)):
                lab.move_prices(percent)
                lab.make_due()
                found[label].append(refresher.run())
    return found


def processor_us(runs: Iterable[RefreshRun]) -> float:
    """Of the refresher, for a product: it hardly depends on what else the machine does."""
    return statistics.median(run.processor_s / run.refreshed * 1e6 for run in runs)


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    main()
