"""Walks all pages of many products while others are created and deleted as fast as it goes.

    python -m lab.benchmarks.walk --database-url URL [--products 100000] [--limit 200] [--writers 2]

In every order, each product that exists all the time has to be seen exactly once; else the exit code is 1.
Needs an empty database, or the one of an earlier walk.
"""

import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from uuid import uuid4

import click
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from productator.catalogue import products
from productator.config import Settings
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.transactions import run_transaction
from productator.domain import NewProduct, utc_now
from productator.models import Product

_LASTING = "exists all the time"
_PASSING = 100
_ROWS_A_STATEMENT = 2_000


@click.command()
@click.option("--database-url", required=True)
@click.option("--products", "count", default=100_000, show_default=True)
@click.option("--limit", default=200, show_default=True)
@click.option("--writers", default=2, show_default=True)
def main(database_url: str, count: int, limit: int, writers: int) -> None:
    engine = make_engine(database_url)
    migrate.migrate(engine)
    lasting = Counter(fill(engine, count))
    engine.dispose()
    client = create_app(
        Settings.load("config.cfg", os.environ | {"DATABASE_URL": database_url})
    ).test_client()
    with churn(database_url, writers) as changes:
        wrong = [walk(client, sort, lasting, changes, limit) for sort in products.ORDERS]
    sys.exit(any(wrong))


def fill(engine: Engine, count: int) -> list[int]:
    """The ids of the products that are never deleted."""
    lasting = select(Product.id).where(Product.description == _LASTING)
    with engine.connect() as connection:
        there = len(connection.scalars(lasting).all())
    for _ in range(there, count, _ROWS_A_STATEMENT):
        rows = [_row() for _ in range(_ROWS_A_STATEMENT)]
        with engine.begin() as connection:
            connection.execute(insert(Product), rows)
    with engine.connect() as connection:
        return list(connection.scalars(lasting))


def _row() -> dict[str, object]:
    times = {"created_at": utc_now(), "updated_at": utc_now()}
    return {"name": _name(), "description": _LASTING, "remote_id": str(uuid4()), "version": 1} | times


def _name() -> str:
    return f"Kettle {random.randint(1, 20_000)}"


def walk(
    client: FlaskClient, sort: str, lasting: Counter[int], changes: "Synchronized[int]", limit: int
) -> int:
    """How many products were skipped or seen twice."""
    started, changes_before = time.monotonic(), changes.value
    seen = Counter(pages(client, sort, limit))
    taken, changed = time.monotonic() - started, changes.value - changes_before
    missed = sum((lasting - seen).values())
    twice = sum(count - 1 for count in seen.values())
    print(
        f"{sort:12} {len(seen):8} products, {taken:6.1f} s, {changed:7} others created or deleted: ", end=""
    )
    print(f"{missed} skipped, {twice} seen twice", flush=True)
    return missed + twice


def pages(client: FlaskClient, sort: str, limit: int) -> Iterator[int]:
    following: str | None = f"/api/v1/products?sort={sort}&limit={limit}"
    while following:
        body = client.get(following).get_json()
        yield from (product["id"] for product in body["items"])
        following = body["next"]


@contextmanager
def churn(url: str, writers: int) -> "Iterator[Synchronized[int]]":
    """Creates and deletes products in processes of their own; yields the number of changes so far."""
    context = multiprocessing.get_context("spawn")
    stop, busy, changes = context.Event(), context.Barrier(writers + 1), context.Value("q", 0)
    arguments = (url, stop, busy, changes)
    processes = [context.Process(target=create_and_delete, args=arguments) for _ in range(writers)]
    for process in processes:
        process.start()
    try:
        busy.wait(300)
        yield changes
    finally:
        stop.set()
        for process in processes:
            process.join()


def create_and_delete(url: str, stop: Event, busy: Barrier, changes: "Synchronized[int]") -> None:
    sessions = sessionmaker(make_engine(url))
    made = [run_transaction(sessions, _create) for _ in range(_PASSING)]
    busy.wait(300)
    while not stop.is_set():
        gone = made.pop(random.randrange(_PASSING))
        run_transaction(sessions, partial(products.remove, product_id=gone))
        made.append(run_transaction(sessions, _create))
        with changes.get_lock():
            changes.value += 2
    for product_id in made:
        run_transaction(sessions, partial(products.remove, product_id=product_id))


def _create(session: Session) -> int:
    return products.create(session, NewProduct(_name(), "passing"), now=utc_now()).id


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    main()
