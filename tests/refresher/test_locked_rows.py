"""A row that somebody holds for long holds up no other product."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from refresher.leases import row_locks
from refresher.leases.claims import Wanted
from refresher.leases.errands import Errands
from refresher.leases.owed import Debt
from refresher.storing.batch import Stored
from refresher.storing.writer import Storer
from tests.refresher.builders import LEASE, NOW, PERIOD, offer, outcome, plan
from tests.refresher.rows import Sessions, claimed, refresh_of, stored_offers, stored_products

PATIENCE_S = 30
NOTHING = Debt()

# SQLite has no locks of rows.
pytestmark = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
Hold = Callable[[str, int], None]


@pytest.fixture
def somebody(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def hold(somebody: Connection) -> Hold:
    """Locks the row with this key for as long as the test lasts."""

    def hold(table: str, key: int) -> None:
        column = {"refreshes": "product_id"}.get(table, "id")
        somebody.execute(text(f"SELECT 1 FROM {table} WHERE {column} = {key} FOR UPDATE"))

    return hold


def errands(sessions: Sessions) -> Errands:
    return Errands(sessions, period=PERIOD, lease=LEASE)


def stored(sessions: Sessions, outcomes: list[Any]) -> Stored:
    storer = Storer(sessions, wake=lambda: None)
    storer.start(outcomes, plan())
    deadline = time.monotonic() + PATIENCE_S
    done = Stored()
    while storer.held:
        assert time.monotonic() < deadline
        done.add(storer.taken())
        time.sleep(0.01)
    return done


def test_it_is_found_without_waiting(sessions: Sessions, hold: Hold) -> None:
    product_ids = stored_products(sessions, 100)
    hold("refreshes", product_ids[7])
    hold("refreshes", product_ids[93])

    assert row_locks.find(sessions, product_ids) == {product_ids[7], product_ids[93]}


def test_where_nothing_is_held_nothing_is_found(sessions: Sessions) -> None:
    assert row_locks.find(sessions, stored_products(sessions, 3)) == set()
    assert row_locks.find(sessions, []) == set()


def test_the_others_are_claimed(sessions: Sessions, hold: Hold) -> None:
    product_ids = stored_products(sessions, 20)
    hold("refreshes", product_ids[0])
    claims = errands(sessions).run(NOTHING, Wanted(20, due_by=NOW), now=NOW)

    assert {claim.product_id for claim in claims} == set(product_ids[1:])


def test_it_is_left_out_for_a_while(sessions: Sessions, hold: Hold, somebody: Connection) -> None:
    product_ids = stored_products(sessions, 2)
    hold("refreshes", product_ids[0])
    all_errands = errands(sessions)
    all_errands.run(NOTHING, Wanted(2, due_by=NOW), now=NOW)
    somebody.rollback()

    assert all_errands.avoided == {product_ids[0]}
    assert all_errands.run(NOTHING, Wanted(2, due_by=NOW), now=NOW) == []


def test_the_others_are_given_back(sessions: Sessions, hold: Hold) -> None:
    product_ids = stored_products(sessions, 3)
    claims = claimed(sessions)
    hold("refreshes", product_ids[1])
    errands(sessions).run(Debt(tuple(claims), forgives=True), Wanted(0, due_by=NOW), now=NOW)

    tokens = [refresh_of(sessions, each).claim_token is None for each in product_ids]
    assert tokens == [True, False, True]


def test_the_others_are_stored(sessions: Sessions, hold: Hold) -> None:
    product_ids = stored_products(sessions, 5)
    outcomes = [outcome(claim, offer()) for claim in claimed(sessions)]
    hold("refreshes", product_ids[2])
    done = stored(sessions, outcomes)

    assert (done.refreshed, done.lost) == (4, 1)
    assert [len(stored_offers(sessions, each)) for each in product_ids] == [1, 1, 0, 1, 1]


def test_the_others_are_stored_when_another_row_of_the_product_is_held(
    sessions: Sessions, hold: Hold
) -> None:
    """The product's own, which the history of its offers refers to."""
    product_ids = stored_products(sessions, 3)
    outcomes = [outcome(claim, offer()) for claim in claimed(sessions)]
    hold("products", product_ids[1])
    done = stored(sessions, outcomes)

    assert (done.refreshed, done.lost) == (2, 1)
    assert [len(stored_offers(sessions, each)) for each in product_ids] == [1, 0, 1]
