"""A walk through all pages while others create and delete: it sees each lasting product once."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import products
from productator.database.transactions import run_transaction
from productator.domain import NewProduct, utc_now
from productator.models import Product
from tests import factories
from tests.api.checks import PRODUCTS, items

LASTING = 2_000
# How many others there are at a time.
KEPT = 20
# Among and around the names that last, whichever way they are sorted.
NAMES = [f"Kettle {number:04}" for number in range(0, 10_000, 37)]


@pytest.fixture
def lasting(sessions: sessionmaker[Session]) -> set[str]:
    """The names of products that nobody deletes."""
    names = [f"Kettle {number * 5:04}" for number in range(LASTING)]
    times = {"created_at": factories.NOW, "updated_at": factories.NOW}
    rows = [
        {"name": name, "description": "lasting", "remote_id": name, "version": 1} | times for name in names
    ]
    with sessions.begin() as session:
        session.execute(insert(Product), rows)
    return set(names)


@contextmanager
def churn(sessions: sessionmaker[Session]) -> Iterator[Counter[str]]:
    """Creates and deletes products beside, as fast as the database can; counts both from the first on."""
    done: Counter[str] = Counter()
    stop, busy = threading.Event(), threading.Event()

    def create_and_delete() -> None:
        made: list[int] = []
        for name in itertools.cycle(NAMES):
            made.append(run_transaction(sessions, partial(_create, name=name)))
            done["created"] += 1
            if len(made) > KEPT:
                oldest = made.pop(0)
                run_transaction(sessions, partial(products.remove, product_id=oldest))
                done["deleted"] += 1
                busy.set()
            if stop.is_set():
                return

    thread = threading.Thread(target=create_and_delete)
    thread.start()
    assert busy.wait(60)
    done.clear()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def _create(session: Session, name: str) -> int:
    return products.create(session, NewProduct(name, ""), now=utc_now()).id


@pytest.mark.parametrize("sort", ["id", "name", "-name", "-created_at"])
def test_a_walk_during_changes_sees_each_lasting_product_once(
    app: Flask, sessions: sessionmaker[Session], lasting: set[str], sort: str
) -> None:
    with churn(sessions) as done:
        seen = items(app.test_client(), f"{PRODUCTS}?sort={sort}&limit=25")

    found = [product["name"] for product in seen if product["description"] == "lasting"]
    assert len({product["id"] for product in seen}) == len(seen)
    assert Counter(found) == Counter(lasting)
    assert min(done["created"], done["deleted"]) > 0
