"""How fast the pages are among 100,000 products with 30 days of history.

    python -m lab.benchmarks.pages [--database-url URL] [--products 100000] [--runs 100]

Without an address it starts a MariaDB of its own. It fills the database once: ten offers a product, a low for
each of 31 days, and one product whose price changes every minute. uWSGI serves the pages to one client;
the server's share, and how much of that it held a connection to the database, is from its access log.
"""

import gzip
import random
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import cast

import click
import requests
from sqlalchemy import Engine, Table, func, select, text
from sqlalchemy.orm import Session

from lab import databases, made_up_history
from lab.benchmarks.many_products import RandomNames, fill
from lab.processes.api import Api
from lab.processes.system import System
from lab.waiting import eventually
from productator.database import migrate
from productator.database.bulk import insert_rows
from productator.database.engine import make_engine
from productator.domain import utc_now
from productator.models import Offer, Product, ProductPrice, Refresh
from productator.prices.day_lows import DayLows, text_of
from productator.prices.product_prices import day_of

_MARIADB_OPTIONS = ("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=1G")
_ROWS = 5_000
# What the access log says of a request.
_TIMES = re.compile(r" in ([0-9.]+) ms, database ([0-9.]+) ms")
_PATHS = {
    "first page": "/",
    "fell most": "/?sort=change",
    "cheapest": "/?sort=price",
    "dearest, in stock": "/?sort=-price&in_stock=1",
    "newest": "/?sort=-id",
    "in stock": "/?in_stock=1",
    "at 30-day low": "/?at_low=1",
    "at 30-day low, fell most": "/?at_low=1&sort=change",
    "old (few are)": "/?stale=1",
    "search, common word": "/?q={common}",
    "search, rare word": "/?q={rare}",
    "search, fell most": "/?q={common}&sort=change",
    "search, rare word, fell most": "/?q={rare}&sort=change",
    "part of the first page": "/#live",
    "busiest product": "/products/{busy}",
    "busiest product, 24 h": "/products/{busy}?range=24h",
    "busiest product, all": "/products/{busy}?range=all",
    "system": "/system",
    "API: a page of products": "/api/v1/products",
}


@click.command()
@click.option("--database-url", default=None)
@click.option("--products", "count", default=100_000, show_default=True)
@click.option("--runs", default=100, show_default=True)
def main(database_url: str | None, count: int, runs: int) -> None:
    random.seed(7)
    if database_url:
        measure(database_url, count, runs)
        return
    with databases.mariadb_url(*_MARIADB_OPTIONS) as server_url:
        server = databases.Server(server_url)
        measure(server.new(), count, runs)
        server.drop_all()


def measure(url: str, count: int, runs: int) -> None:
    names, engine = RandomNames(), make_engine(url)
    migrate.migrate(engine)
    fill(engine, names, count)
    busy = _fill_prices(engine)
    given = {"common": names.words[3], "rare": names.words[3_000], "busy": busy}
    print(f"{'':32}{'':>24}{'of it, p95':>20}{'':>4}{'page':>8}{'packed':>8}")
    print(f"{'':32}{'p50 ms':>12}{'p95 ms':>12}{'server':>12}{'database':>12}{'KB':>8}{'KB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        system = System(url, Path(folder), {"PRODUCTATOR_AUTH": "write"})
        try:
            api = system.api()
            for label, address in _PATHS.items():
                path, _, part = address.format(**given).partition("#")
                _measure_one(api, label, path, {"X-Page-Part": part} if part else {}, runs)
        finally:
            system.stop_all()
    engine.dispose()


def _measure_one(api: Api, label: str, path: str, headers: dict[str, str], runs: int) -> None:
    headers = {"Accept": "text/html"} | headers
    page = _get(api, path, headers)
    logged = len(_TIMES.findall(api.printed))
    times = sorted(_milliseconds(api, path, headers) for _ in range(runs))

    def is_logged() -> bool:
        """The server has written a line for each request."""
        return len(_TIMES.findall(api.printed)) >= logged + runs

    eventually(is_logged)
    found = [(float(server), float(database)) for server, database in _TIMES.findall(api.printed)[logged:]]
    server, database = (_p95([each[column] for each in found]) for column in (0, 1))
    sizes = f"{len(page) / 1000:8.1f}{len(gzip.compress(page)) / 1000:8.1f}"
    total = f"{statistics.median(times):12.1f}{_p95(times):12.1f}"
    print(f"{label:32}{total}{server:12.1f}{database:12.1f}{sizes}", flush=True)


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def _get(api: Api, path: str, headers: dict[str, str]) -> bytes:
    response = requests.get(api.url(path), headers=headers, timeout=60)
    assert response.status_code == HTTPStatus.OK, response.text
    return response.content


def _milliseconds(api: Api, path: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    _get(api, path, headers)
    return (time.perf_counter() - began) * 1_000


def _fill_prices(engine: Engine) -> int:
    """What the refresher would have written; returns the busiest product."""
    now = utc_now()
    with Session(engine) as session:
        if session.scalar(select(func.count()).select_from(Refresh)):
            return session.scalar(select(func.max(Product.id))) or 0
        product_ids = list(session.scalars(select(Product.id).order_by(Product.id)))
        for start in range(0, len(product_ids), _ROWS):
            _fill_some(session, product_ids[start : start + _ROWS])
            session.commit()
        busy = made_up_history.add_product(
            session, "Busiest product of all", price=20_000, chance=random.Random(1), now=now,
            days=30, changes_a_day=1_440, offers=10,
        )  # fmt: skip
        made_up_history.keep_day_figures(session, busy, now=now, days=30)
        made_up_history.keep_day_lows(session, now=now)
        session.commit()
        session.execute(text("ANALYZE TABLE products, refreshes, offers, product_prices, price_points"))
    return busy


def _fill_some(session: Session, product_ids: list[int]) -> None:
    now = utc_now()
    refreshes, offers, prices = [], [], []
    for product_id in product_ids:
        age_s = random.randint(1, 30) if random.random() < 0.999 else 500
        refreshes.append((product_id, now + timedelta(days=1), now - timedelta(seconds=age_s), 0, False))
        price = random.randint(100, 100_000)
        lows = tuple(price + random.randint(-price // 10, price // 10) for _ in range(31))
        is_sold = random.random() < 0.95
        known = DayLows(lows[-1] if is_sold else None, day_of(now), lows)
        prices.append(
            (product_id, known.lowest_price, known.change_permille, known.is_lowest, known.day, text_of(lows))
        )
        offers += [
            (product_id, f"{product_id}-{n}", lows[-1] + n * 17, int(is_sold) * (n + 1), 1, now, now)
            for n in range(10)
        ]
    connection = session.connection()
    insert_rows(
        connection,
        cast("Table", Refresh.__table__),
        ("product_id", "due_at", "refreshed_at", "failures", "pending"),
        refreshes,
    )
    insert_rows(
        connection,
        cast("Table", Offer.__table__),
        ("product_id", "remote_id", "price", "items_in_stock", "version", "created_at", "updated_at"),
        offers,
    )
    insert_rows(
        connection,
        cast("Table", ProductPrice.__table__),
        ("product_id", "lowest_price", "change_permille", "is_lowest", "day", "day_lows"),
        prices,
    )


if __name__ == "__main__":
    main()
