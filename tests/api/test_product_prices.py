"""The row that lists read: it follows each change of a lowest price, and each day."""

from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.models import ProductPrice
from productator.prices import product_prices
from productator.prices.product_prices import day_of
from tests import factories
from tests.api.checks import PRODUCTS, offer_url

Json = dict[str, Any]
Sessions = sessionmaker[Session]


def row(sessions: Sessions, product: Json) -> tuple[Any, ...] | None:
    """The lowest price, the days' lows, and whether it is the lowest of them."""
    query = select(ProductPrice.lowest_price, ProductPrice.day_lows, ProductPrice.is_lowest)
    with sessions() as session:
        found = session.execute(query.where(ProductPrice.product_id == product["id"])).one_or_none()
    return None if found is None else tuple(found)


def bring_up_to_date(sessions: Sessions, *, now: datetime) -> list[int]:
    """All steps of the maintenance; the last product of each."""
    steps = [0]
    while len(steps) == 1 or steps[-1]:
        with sessions.begin() as session:
            steps.append(product_prices.bring_up_to_date(session, after=steps[-1], now=now))
    return steps[1:]


def test_the_row_follows_the_lowest_price(client: FlaskClient, sessions: Sessions, product: Json) -> None:
    assert row(sessions, product) is None
    cheap = factories.posted_offer(client, product["id"], price=90)
    dear = factories.posted_offer(client, product["id"], price=100)
    assert row(sessions, product) == (90, "90", False)
    client.patch(offer_url(cheap), json={"items_in_stock": 0})
    assert row(sessions, product) == (100, "90", False)
    client.delete(offer_url(dear))
    assert row(sessions, product) == (None, "90", False)


def test_a_change_that_leaves_the_lowest_price_writes_nothing(
    client: FlaskClient, sessions: Sessions, product: Json, offer: Json, statements: list[str]
) -> None:
    dear = factories.posted_offer(client, product["id"], price=200)
    statements.clear()
    client.patch(offer_url(dear), json={"price": 210})

    assert not [each for each in statements if "product_prices" in each]


def test_a_product_takes_its_row_with_it(
    client: FlaskClient, sessions: Sessions, product: Json, offer: Json
) -> None:
    client.delete(f"{PRODUCTS}/{product['id']}")

    assert row(sessions, product) is None


def test_each_day_is_added_though_nothing_changes(sessions: Sessions, product: Json, offer: Json) -> None:
    bring_up_to_date(sessions, now=utc_now() + timedelta(days=2))

    assert row(sessions, product) == (100, "100,100,100", False)


def test_rows_of_today_are_left_alone(
    sessions: Sessions, product: Json, offer: Json, statements: list[str]
) -> None:
    steps = bring_up_to_date(sessions, now=utc_now())

    assert steps == [product["id"], 0]
    assert not [each for each in statements if each.startswith("REPLACE")]


def test_a_row_that_is_wrong_is_set_right_on_the_next_day(
    sessions: Sessions, product: Json, offer: Json
) -> None:
    """An older version may have changed the price without it."""
    with sessions.begin() as session:
        session.execute(update(ProductPrice).values(lowest_price=5))
    bring_up_to_date(sessions, now=utc_now() + timedelta(days=1))

    assert row(sessions, product) == (100, "100,5", False)


def test_a_missing_row_is_made_from_the_history(
    client: FlaskClient, sessions: Sessions, product: Json
) -> None:
    offer = factories.posted_offer(client, product["id"], price=90)
    client.patch(offer_url(offer), json={"price": 120})
    with sessions.begin() as session:
        session.execute(delete(ProductPrice))
    bring_up_to_date(sessions, now=utc_now() + timedelta(days=1))

    assert row(sessions, product) == (120, "90,120", False)


def test_a_change_of_an_old_product_leaves_its_missing_row_to_the_maintenance(
    client: FlaskClient, sessions: Sessions, product: Json, offer: Json
) -> None:
    """A row of the price now alone would hide its history."""
    with sessions.begin() as session:
        session.execute(delete(ProductPrice))
    client.patch(offer_url(offer), json={"price": 80})
    assert row(sessions, product) is None
    bring_up_to_date(sessions, now=utc_now())

    assert row(sessions, product) == (80, "80", False)


def test_very_many_missing_rows_are_made_in_steps(client: FlaskClient, sessions: Sessions) -> None:
    made = [factories.posted_product(client, name=f"Cup {number}") for number in range(25)]
    steps = bring_up_to_date(sessions, now=utc_now())

    assert [steps.index(made[each]["id"]) for each in (9, 19, 24)] == [0, 1, 2]
    assert all(row(sessions, each) == (None, "", False) for each in made)


def test_days_are_those_of_utc() -> None:
    assert day_of(factories.NOW) == (factories.NOW.date() - datetime(1970, 1, 1).date()).days  # noqa: DTZ001
