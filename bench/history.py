"""How fast history is read among ten million changes, and what recording it costs the refresher.

    python bench/history.py reads --database-url URL [--changes 10000000] [--runs 200]
    python bench/history.py writes [--products 5000] [--rounds 5]

`reads` fills an empty database on MariaDB (and leaves it so for the next run), asks for histories of random
products through the API, and prints times and plans. `writes` lets one refresher with and one without history
read the same products in turn, a tenth of all offers changed each time.
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import click
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, insert, select, text

# Started by its path, a script finds only what lies beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.catalogue import Plans
from bench.laboratory import laboratory
from productator import schema
from productator.app import create_app
from productator.config import Settings
from productator.db import reader
from productator.domain import utc_now
from productator.engine import make_engine
from productator.models import Product

_PRODUCTS = 2_000
_DAYS = 90
_ROWS_A_STATEMENT = 250_000


@click.group()
def main() -> None:
    """Measures history."""


def fill(engine: Engine, changes: int) -> None:
    """Products whose offers, ten each, have changed in turn, at even distances over ninety days."""
    with engine.connect() as connection:
        if connection.scalar(select(func.count()).select_from(Product)):
            return
    now, started = utc_now(), time.monotonic()
    row = {"description": "", "version": 1, "created_at": now, "updated_at": now}
    with engine.begin() as connection:
        rows = [
            row | {"id": each + 1, "name": f"Product {each}", "remote_id": str(uuid4())}
            for each in range(_PRODUCTS)
        ]
        connection.execute(insert(Product.__table__), rows)
    per_product = changes // _PRODUCTS
    values = {
        "per_product": per_product,
        "begin": (now - timedelta(days=_DAYS)).replace(tzinfo=None),
        "step_us": _DAYS * 86_400_000_000 // per_product,
    }
    for first in range(0, changes, _ROWS_A_STATEMENT):
        # What MariaDB counts by itself need not be sent.
        numbers = f"seq_{first}_to_{min(first + _ROWS_A_STATEMENT, changes) - 1}"
        for statement in (_CHANGES, _POINTS):
            with engine.begin() as connection:
                connection.execute(text(statement.format(numbers=numbers)), values)
    with engine.begin() as connection:
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


@main.command()
@click.option("--database-url", required=True)
@click.option("--changes", default=10_000_000, show_default=True)
@click.option("--runs", default=200, show_default=True, help="How often each call is timed.")
def reads(database_url: str, changes: int, runs: int) -> None:
    """How long calls take among so many changes, and by which indexes they read."""
    random.seed(7)
    engine = make_engine(database_url)
    schema.migrate(engine)
    fill(engine, changes)
    app = create_app(Settings.load("config.cfg", os.environ | {"DATABASE_URL": database_url}))
    client = app.test_client()
    with app.app_context():
        plans = Plans(reader())
    print(f"{'':32}{'p50 ms':>9}{'p95 ms':>9}  plan")
    for label, path in CALLS.items():
        example = path()
        plan = plans.of(label, lambda _: client.get(example))  # noqa: B023 - called at once
        times = sorted(_milliseconds(client, path()) for _ in range(runs))
        print(f"{label:32}{times[runs // 2]:9.1f}{times[int(runs * 0.95)]:9.1f}  {plan}", flush=True)


def _product() -> str:
    return f"/api/v1/products/{random.randint(1, _PRODUCTS)}"


def _range(days: int) -> str:
    """A range of so many days within those that are filled."""
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
}


def _milliseconds(client: FlaskClient, path: str) -> float:
    started = time.perf_counter()
    response = client.get(path)
    assert response.status_code == HTTPStatus.OK, response.text
    return (time.perf_counter() - started) * 1_000


@main.command()
@click.option("--products", "count", default=5_000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--percent", default=10.0, show_default=True, help="So many of all offers change each time.")
@click.option("--database-url", default=None, help="An empty database; default: a MariaDB of our own.")
def writes(count: int, rounds: int, percent: float, database_url: str | None) -> None:
    """What a refresher does with and without history, in turns: products per second."""
    with laboratory(database_url, latency_s=0) as lab, lab.refresher() as recording:
        lab.add_products(count)
        recording.run()
        with lab.refresher("--without-history") as forgetting:
            found: dict[str, list[float]] = {"with": [], "without": []}
            for _ in range(rounds):
                for label, refresher in (("without", forgetting), ("with", recording)):
                    lab.move_prices(percent)
                    lab.make_due()
                    run = refresher.run()
                    found[label].append(run.refreshed / run.seconds)
    for label, speeds in found.items():
        print(
            f"{label:8} history {statistics.median(speeds):8.0f} products/s", [round(each) for each in speeds]
        )
    ratios = [a / b for a, b in zip(found["with"], found["without"], strict=True)]
    print(f"with / without {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    main()
