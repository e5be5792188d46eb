"""How fast lists, searches and reads are among a million products, and which indexes they use.

    python -m lab.benchmarks.catalogue --database-url URL [--products 1000000] [--runs 100]

Fills the database up to that many products (and leaves them there for the next run), then asks for pages in
every order and for words of every kind, and prints the plan and the times of each. Exit code 1 if a plan
reads a whole table, or sorts what an index has in order.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import click
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, create_engine, event, func, insert, select, text

from productator.app import create_app
from productator.catalogue import products
from productator.config import Settings
from productator.database import migrate
from productator.database.engine import autocommit_options, make_engine, prepare
from productator.database.keyset import Position
from productator.domain import utc_now
from productator.models import Product

_ROWS_A_STATEMENT = 2_000
_LIMIT = 50
_SYLLABLES = [first + second for first in "bcdfghjklmnprstvz" for second in "aeiou"]
# Each stands for words of one kind; see `Names`.
_WORDS = 4_000
_SEARCHES: dict[str, Callable[["Names"], str]] = {
    "most common word": lambda names: names.words[0],
    "common word": lambda names: names.words[random.randint(5, 50)],
    "middling word": lambda names: names.words[random.randint(100, 400)],
    "rare word": lambda names: names.words[random.randint(2000, 3999)],
    "beginning, 3 letters": lambda names: random.choice(names.words)[:3],
    "beginning, 1 letter": lambda names: random.choice(names.words)[0],
    "short word": lambda _: random.choice(["tv", "4k", "xl", "7"]),
    "common and rare word": lambda names: f"{names.words[0]} {names.words[random.randint(2000, 3999)]}",
    "three words": lambda names: " ".join(random.sample(names.words[:100], 3)),
    "no such word": lambda _: "qwertzuiop",
}


@click.command()
@click.option("--database-url", required=True)
@click.option("--products", "count", default=1_000_000, show_default=True)
@click.option("--runs", default=100, show_default=True, help="How often each request is timed.")
def main(database_url: str, count: int, runs: int) -> None:
    random.seed(7)
    names = Names()
    writer = make_engine(database_url)
    migrate.migrate(writer)
    fill(writer, names, count)
    engine = create_engine(database_url, **autocommit_options(database_url))
    prepare(engine, autocommit=True)
    app = create_app(Settings.load("config.cfg", os.environ | {"DATABASE_URL": database_url}))
    plans = Plans(engine)
    print(f"{'':44}{'service, ms':>18}{'through the API, ms':>22}")
    print(f"{'':44}{'p50':>9}{'p95':>9}{'p50':>13}{'p95':>9}  plan")
    for shape in shapes(engine, names):
        measure(shape, engine, app.test_client(), plans, runs)
    for complaint in plans.complaints:
        print(complaint)
    sys.exit(bool(plans.complaints))


@dataclass
class Names:
    """A few thousand words, the n-th n times as rare as the first, as in natural languages."""

    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        found: dict[str, None] = {}
        while len(found) < _WORDS:
            found["".join(random.choices(_SYLLABLES, k=random.randint(2, 4)))] = None
        self.words = list(found)
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(len(self.words))))

    def name(self) -> str:
        words = random.choices(self.words, cum_weights=self._weights, k=random.randint(2, 5))
        short = random.choices(["", " TV", " 4K", " XL"], [94, 2, 2, 2])[0]
        return f"{' '.join(word.capitalize() for word in words)}{short} {random.randint(1, 3000)}"


def fill(engine: Engine, names: Names, count: int) -> None:
    with engine.connect() as connection:
        there = connection.scalar(select(func.count()).select_from(Product)) or 0
    begin, started = utc_now() - timedelta(seconds=count), time.monotonic()
    for done in range(there, count, _ROWS_A_STATEMENT):
        rows = [_row(names, begin + timedelta(seconds=done + n)) for n in range(_ROWS_A_STATEMENT)]
        with engine.begin() as connection:
            connection.execute(insert(Product.__table__), rows)
    if there < count:
        print(f"{count - there} products created in {time.monotonic() - started:.0f} s")
        with engine.begin() as connection:
            connection.execute(text("ANALYZE TABLE products" if engine.name != "sqlite" else "ANALYZE"))


def _row(names: Names, now: Any) -> dict[str, Any]:
    return {
        "name": names.name(),
        "description": "About as much text as a product commonly has. " * 4,
        "remote_id": str(uuid4()),
        "version": 1,
        "created_at": now,
        "updated_at": now + timedelta(seconds=random.randint(0, 10_000_000)),
    }


@dataclass(frozen=True)
class Shape:
    """One kind of request: what the service is asked, and the same as a query of the API, if it can be."""

    label: str
    ask: Callable[[Connection, dict[str, Any]], Any]
    arguments: Callable[[], dict[str, Any]]


def shapes(engine: Engine, names: Names) -> Iterator[Shape]:
    def listed(connection: Connection, arguments: dict[str, Any]) -> Any:
        wanted = {"text": None, "limit": _LIMIT, "position": None} | arguments
        return products.page(connection, **wanted)

    somewhere = Somewhere(engine)
    yield Shape(
        "product",
        lambda connection, arguments: products.get(connection, **arguments),
        lambda: {"product_id": somewhere.product_id()},
    )
    for sort in products.ORDERS:
        yield Shape(f"list, {sort}", listed, lambda sort=sort: {"sort": sort})
        yield Shape(
            f"list, {sort}, deep",
            listed,
            lambda sort=sort: {"sort": sort, "position": somewhere.position(sort)},
        )
    for kind, word in _SEARCHES.items():
        for sort in ("id", "name"):
            yield Shape(
                f"{kind}, {sort}", listed, lambda sort=sort, word=word: {"text": word(names), "sort": sort}
            )
        yield Shape(
            f"{kind}, -created_at, deep",
            listed,
            lambda word=word: {
                "text": word(names),
                "sort": "-created_at",
                "position": somewhere.position("-created_at"),
            },
        )


class Somewhere:
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


class Plans:
    """What the database says of every statement that is sent through an engine."""

    def __init__(self, engine: Engine) -> None:
        self.complaints: list[str] = []
        self._engine = engine
        self._statements: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            self._statements.append((statement, parameters))

    def of(self, label: str, ask: Callable[[Connection], Any]) -> str:
        with self._engine.connect() as connection:
            self._statements.clear()
            ask(connection)
            plans = [self._explain(connection, *each) for each in list(self._statements)]
        wrong = [step for plan in plans for step in plan if self._is_wrong(step, label)]
        self.complaints += [f"{label}: {step}" for step in wrong]
        return "; then ".join(" + ".join(plan) for plan in plans)

    def _explain(self, connection: Connection, statement: str, parameters: Any) -> list[str]:
        if self._engine.name == "sqlite":
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return [row.detail for row in found]
        kind = "" if connection.dialect.is_mariadb else "FORMAT=TRADITIONAL"  # type: ignore[attr-defined]
        found = connection.exec_driver_sql(f"EXPLAIN {kind} {statement}", parameters)
        return [f"{row.table}: {row.type} {row.key or ''} {row.Extra or ''}".strip() for row in found]

    def _is_wrong(self, step: str, label: str) -> bool:
        if step.startswith("<derived") or self._engine.name == "sqlite":
            return False  # the few rows of a subquery; or a database that has no full-text index
        scans = ": ALL" in step or (": index" in step and "deep" in label)
        return scans or ("filesort" in step and ": fulltext" not in step)


def measure(shape: Shape, engine: Engine, client: FlaskClient, plans: Plans, runs: int) -> None:
    example = shape.arguments()
    plan = plans.of(shape.label, lambda connection: shape.ask(connection, example))
    service, api = [], []
    with engine.connect() as connection:
        for _ in range(runs):
            arguments = shape.arguments()
            service.append(seconds(lambda: shape.ask(connection, arguments)))  # noqa: B023 - called at once
            if "position" not in arguments:
                address = path(arguments)
                api.append(seconds(lambda: client.get(address)))  # noqa: B023 - called at once
    print(f"{shape.label:44}{figures(service)}    {figures(api) if api else ' ' * 18}  {plan}", flush=True)


def path(arguments: dict[str, Any]) -> str:
    if "product_id" in arguments:
        return f"/api/v1/products/{arguments['product_id']}"
    query = {"q": arguments.get("text", ""), "sort": arguments["sort"], "limit": _LIMIT}
    return f"/api/v1/products?{urlencode(query)}"


def seconds(ask: Callable[[], Any]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


def figures(times: list[float]) -> str:
    times = sorted(times)
    return "".join(f"{times[int(len(times) * part)] * 1000:9.1f}" for part in (0.5, 0.95))


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    main()
