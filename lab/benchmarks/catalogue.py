"""How fast lists, searches and reads are among a million products, and which indexes they use.

    python -m lab.benchmarks.catalogue --database-url URL [--products 1000000] [--runs 100]

Fills the database up to that many products (and leaves them there for the next run), then asks for pages in
every order and for words of every rarity, and prints the plan and the times of each. The exit code is 1 if a
plan reads a whole table, or sorts rows that an index has in order.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import click
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, func, select

from lab.benchmarks.many_products import RandomNames, fill
from lab.benchmarks.query_plans import QueryPlans
from productator.app import create_app
from productator.catalogue import products
from productator.config import Settings
from productator.database import migrate
from productator.database.engine import autocommit_options, make_engine, prepare
from productator.database.keyset import Position
from productator.models import Product

_LIMIT = 50
_SEARCHES: dict[str, Callable[[list[str]], str]] = {
    "most common word": lambda words: words[0],
    "common word": lambda words: words[random.randint(5, 50)],
    "middling word": lambda words: words[random.randint(100, 400)],
    "rare word": lambda words: words[random.randint(2000, 3999)],
    "beginning, 3 letters": lambda words: random.choice(words)[:3],
    "beginning, 1 letter": lambda words: random.choice(words)[0],
    "short word": lambda _: random.choice(["tv", "4k", "xl", "7"]),
    "common and rare word": lambda words: f"{words[0]} {words[random.randint(2000, 3999)]}",
    "three words": lambda words: " ".join(random.sample(words[:100], 3)),
    "no such word": lambda _: "qwertzuiop",
}


@click.command()
@click.option("--database-url", required=True)
@click.option("--products", "count", default=1_000_000, show_default=True)
@click.option("--runs", default=100, show_default=True, help="How often each request is timed.")
def main(database_url: str, count: int, runs: int) -> None:
    random.seed(7)
    names = RandomNames()
    writer = make_engine(database_url)
    migrate.migrate(writer)
    fill(writer, names, count)
    engine = create_engine(database_url, **autocommit_options(database_url))
    prepare(engine, autocommit=True)
    app = create_app(Settings.load("config.cfg", os.environ | {"DATABASE_URL": database_url}))
    plans = QueryPlans(engine)
    print(f"{'':44}{'service, ms':>18}{'through the API, ms':>22}")
    print(f"{'':44}{'p50':>9}{'p95':>9}{'p50':>13}{'p95':>9}  plan")
    for shape in shapes(RandomProducts(engine), names.words):
        measure(shape, engine, app.test_client(), plans, runs)
    for complaint in plans.complaints:
        print(complaint)
    sys.exit(bool(plans.complaints))


class RandomProducts:
    """Products chosen at random."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with engine.connect() as connection:
            self._last = connection.scalar(select(func.max(Product.id))) or 0

    def product_id(self) -> int:
        with self._engine.connect() as connection:
            query = select(Product.id).where(Product.id >= random.randint(1, self._last)).order_by(Product.id)
            return int(connection.scalars(query.limit(1)).one())

    def position(self, sort: str) -> Position:
        with self._engine.connect() as connection:
            return products.ORDERS[sort].position(products.get(connection, self.product_id()))


class CatalogueRequest(Protocol):
    def ask(self, connection: Connection) -> object:
        """Asks the service."""

    def path(self) -> str | None:
        """The same request of the API; None where it needs a signed cursor."""


@dataclass(frozen=True)
class ProductRequest:
    product_id: int

    def ask(self, connection: Connection) -> object:
        return products.get(connection, self.product_id)

    def path(self) -> str | None:
        return f"/api/v1/products/{self.product_id}"


@dataclass(frozen=True)
class ListRequest:
    sort: str
    text: str | None = None
    position: Position | None = None

    def ask(self, connection: Connection) -> object:
        return products.page(connection, text=self.text, sort=self.sort, limit=_LIMIT, position=self.position)

    def path(self) -> str | None:
        if self.position is not None:
            return None
        query = {"q": self.text or "", "sort": self.sort, "limit": _LIMIT}
        return f"/api/v1/products?{urlencode(query)}"


@dataclass(frozen=True)
class RequestShape:
    """Many requests that differ in their product, word or position only."""

    label: str
    make: Callable[[], CatalogueRequest]


def shapes(somewhere: RandomProducts, words: list[str]) -> Iterator[RequestShape]:
    yield RequestShape("product", lambda: ProductRequest(somewhere.product_id()))
    for sort in products.ORDERS:
        yield from _lists(sort, somewhere)
    for label, search in _SEARCHES.items():
        yield from _searches(label, partial(search, words), somewhere)


def _lists(sort: str, somewhere: RandomProducts) -> Iterator[RequestShape]:
    yield RequestShape(f"list, {sort}", lambda: ListRequest(sort))
    yield RequestShape(f"list, {sort}, deep", lambda: ListRequest(sort, position=somewhere.position(sort)))


def _searches(label: str, word: Callable[[], str], somewhere: RandomProducts) -> Iterator[RequestShape]:
    newest = "-created_at"
    yield RequestShape(f"{label}, id", lambda: ListRequest("id", word()))
    yield RequestShape(f"{label}, name", lambda: ListRequest("name", word()))
    yield RequestShape(
        f"{label}, {newest}, deep", lambda: ListRequest(newest, word(), somewhere.position(newest))
    )


def measure(shape: RequestShape, engine: Engine, client: FlaskClient, plans: QueryPlans, runs: int) -> None:
    plan = plans.of(shape.label, shape.make().ask)
    service, api = [], []
    with engine.connect() as connection:
        for _ in range(runs):
            request = shape.make()
            service.append(seconds(partial(request.ask, connection)))
            if path := request.path():
                api.append(seconds(partial(client.get, path)))
    print(f"{shape.label:44}{figures(service)}    {figures(api) if api else ' ' * 18}  {plan}", flush=True)


def seconds(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def figures(times: list[float]) -> str:
    times = sorted(times)
    return "".join(f"{times[int(len(times) * part)] * 1000:9.1f}" for part in (0.5, 0.95))


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    main()
