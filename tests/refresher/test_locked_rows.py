"""A row that somebody keeps locked does not delay other products."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from refresher.leases import row_locks
from refresher.metrics import StoreResult
from refresher.storing.writer import BatchWriter
from tests.refresher.builders import PERIOD, offer, result
from tests.refresher.rows import Sessions, claimed, stored_offers, stored_products
from tests.refresher.test_leases import claims_of, is_claimed, leases_on, run

PATIENCE_S = 30

# SQLite has no locks of rows.
pytestmark = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
Lock = Callable[[str, int], None]


@pytest.fixture
def somebody(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def lock(somebody: Connection) -> Lock:
    """Locks the row with this key until the end of the test."""

    def lock(table: str, key: int) -> None:
        column = {"refreshes": "product_id"}.get(table, "id")
        somebody.execute(text(f"SELECT 1 FROM {table} WHERE {column} = {key} FOR UPDATE"))

    return lock


def stored(sessions: Sessions, results: list[Any]) -> StoreResult:
    writer = BatchWriter(sessions, period=PERIOD, wake=lambda: None)
    writer.add(results)
    return writer.finish(until=time.monotonic() + PATIENCE_S, service_failing=False)


def test_a_locked_row_is_found_without_waiting(sessions: Sessions, lock: Lock) -> None:
    product_ids = stored_products(sessions, 100)
    lock("refreshes", product_ids[7])
    lock("refreshes", product_ids[93])

    assert row_locks.find(sessions, product_ids) == {product_ids[7], product_ids[93]}


def test_without_locks_nothing_is_found(sessions: Sessions) -> None:
    assert row_locks.find(sessions, stored_products(sessions, 3)) == set()
    assert row_locks.find(sessions, []) == set()


def test_the_others_are_claimed(sessions: Sessions, lock: Lock) -> None:
    product_ids = stored_products(sessions, 20)
    lock("refreshes", product_ids[0])
    claims = claims_of(run(leases_on(sessions), 20))

    assert {claim.product_id for claim in claims} == set(product_ids[1:])


def test_a_locked_product_is_left_out_for_a_while(
    sessions: Sessions, lock: Lock, somebody: Connection
) -> None:
    product_ids = stored_products(sessions, 2)
    lock("refreshes", product_ids[0])
    leases = leases_on(sessions)
    run(leases, 2)
    somebody.rollback()

    assert leases.avoided == {product_ids[0]}
    assert claims_of(run(leases, 2)) == []


def test_the_others_are_given_back(sessions: Sessions, lock: Lock) -> None:
    product_ids = stored_products(sessions, 3)
    claims = claimed(sessions)
    lock("refreshes", product_ids[1])
    leases = leases_on(sessions)
    leases.give_back(claims)
    leases.make_delayed_products_due()
    run(leases)

    assert [is_claimed(sessions, each) for each in product_ids] == [False, True, False]


def test_the_others_are_stored(sessions: Sessions, lock: Lock) -> None:
    product_ids = stored_products(sessions, 5)
    results = [result(claim, offer()) for claim in claimed(sessions)]
    lock("refreshes", product_ids[2])
    done = stored(sessions, results)

    assert (done.refreshed, done.lost) == (4, 1)
    assert [len(stored_offers(sessions, each)) for each in product_ids] == [1, 1, 0, 1, 1]


def test_the_others_are_stored_when_another_row_of_a_product_is_locked(
    sessions: Sessions, lock: Lock
) -> None:
    """The product's own, which the history of its offers refers to."""
    product_ids = stored_products(sessions, 3)
    results = [result(claim, offer()) for claim in claimed(sessions)]
    lock("products", product_ids[1])
    done = stored(sessions, results)

    assert (done.refreshed, done.lost) == (2, 1)
    assert [len(stored_offers(sessions, each)) for each in product_ids] == [1, 0, 1]
