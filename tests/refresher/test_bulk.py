"""Writing many rows at once, on every database."""

from datetime import timedelta, timezone
from typing import cast

import pytest
from sqlalchemy import Engine, Table, select, update
from sqlalchemy.exc import StatementError

from productator.database.bulk import insert_rows, update_each
from productator.database.number_lists import in_list
from productator.models import Offer, Product, Refresh
from tests import factories
from tests.refresher.builders import NOW, offer
from tests.refresher.rows import Sessions, offer_rows, refresh_of, stored_offers, stored_products

OFFERS = cast("Table", Offer.__table__)
PRODUCTS = cast("Table", Product.__table__)
REFRESHES = cast("Table", Refresh.__table__)


@pytest.mark.parametrize("count", [0, 1, 100, 250])
def test_each_row_gets_its_own_values(engine: Engine, sessions: Sessions, count: int) -> None:
    (product_id,) = stored_products(sessions, 1)
    factories.external_offers(sessions, product_id, count=count)
    with engine.begin() as connection:
        ids = connection.scalars(select(OFFERS.c.id).order_by(OFFERS.c.id)).all()
        rows = [(each, 10**15 + number, number) for number, each in enumerate(ids)]
        update_each(connection, OFFERS, ("id", "price", "items_in_stock"), rows)

    assert stored_offers(sessions, product_id) == {
        offer(str(number), 10**15 + number, number) for number in range(count)
    }


@pytest.mark.parametrize("count", [0, 1, 1_000, 1_001])
def test_rows_are_inserted_as_they_are_given(engine: Engine, sessions: Sessions, count: int) -> None:
    (product_id,) = stored_products(sessions, 1)
    columns = ("product_id", "remote_id", "price", "items_in_stock", "version", "created_at", "updated_at")
    rows = [(product_id, f"100 % '{number}'", number, 5, 1, NOW, NOW) for number in range(count)]
    with engine.begin() as connection:
        insert_rows(connection, OFFERS, columns, rows)

    assert [row[1:] for row in offer_rows(sessions, product_id)] == rows


def test_rows_that_are_not_named_stay_as_they_are(engine: Engine, sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    named = factories.external_offer(sessions, product_id, remote_id="named")
    factories.external_offer(sessions, product_id, remote_id="other", price=7)
    with engine.begin() as connection:
        update_each(connection, OFFERS, ("id", "price"), [(named, 9)])

    assert stored_offers(sessions, product_id) == {offer("named", 9), offer("other", 7)}


def test_a_column_can_be_counted_up(engine: Engine, sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    offer_id = factories.external_offer(sessions, product_id)
    (before,) = offer_rows(sessions, product_id)
    with engine.begin() as connection:
        update_each(connection, OFFERS, ("id", "price"), [(offer_id, 9)], counting="version")
    (after,) = offer_rows(sessions, product_id)

    assert after[5] == before[5] + 1


def test_times_and_texts_and_nothing_are_kept_exactly(engine: Engine, sessions: Sessions) -> None:
    first, second = stored_products(sessions, 2)
    later = NOW + timedelta(microseconds=123_456)
    with engine.begin() as connection:
        rows = [(first, later, "it's 100 %"), (second, NOW, None)]
        update_each(connection, REFRESHES, ("product_id", "due_at", "last_error"), rows)
    found = [refresh_of(sessions, each) for each in (first, second)]

    assert [(row.due_at, row.last_error) for row in found] == [(later, "it's 100 %"), (NOW, None)]


def test_times_of_any_zone_are_stored_as_sqlalchemy_stores_them(engine: Engine, sessions: Sessions) -> None:
    first, second = stored_products(sessions, 2)
    here = timezone(timedelta(hours=-3, minutes=-30))
    with engine.begin() as connection:
        update_each(connection, REFRESHES, ("product_id", "due_at"), [(first, NOW.astimezone(here))])
        connection.execute(update(REFRESHES).where(REFRESHES.c.product_id == second).values(due_at=NOW))
        same_time = select(REFRESHES.c.product_id).where(REFRESHES.c.due_at == NOW)
        found = connection.scalars(same_time.order_by(REFRESHES.c.product_id)).all()

    assert found == [first, second]


def test_a_statement_finds_the_rows_with_the_ids_that_it_is_given(engine: Engine, sessions: Sessions) -> None:
    first, _, last = stored_products(sessions, 3)
    query = select(PRODUCTS.c.id).where(in_list(PRODUCTS.c.id, "ids")).order_by(PRODUCTS.c.id)
    with engine.connect() as connection:
        found = [connection.scalars(query, {"ids": ids}).all() for ids in ([], {last: "", first: ""}, [last])]

    assert found == [[], [first, last], [last]]


def test_a_list_of_ids_takes_nothing_but_numbers(engine: Engine) -> None:
    query = select(PRODUCTS.c.id).where(in_list(PRODUCTS.c.id, "ids"))
    with engine.connect() as connection, pytest.raises(StatementError, match="Could not render"):
        connection.execute(query, {"ids": ["1) OR (1=1"]})
