"""Reading the history of offers."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import offers
from productator.domain import OwnOffer
from productator.models import OfferChange
from tests import factories
from tests.api.checks import PRODUCTS, items, offer_url, offers_url, pages, problem, wrong_fields
from tests.factories import NOW
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]
Sessions = sessionmaker[Session]
HOUR = timedelta(hours=1)
PRICES = [100, 101, 102, 103]


@pytest.fixture
def changed(sessions: Sessions, product: Json) -> Json:
    """An own offer whose price has changed at each full hour from NOW on, as the API shows it."""
    with sessions.begin() as session:
        first = offers.create(session, product["id"], OwnOffer(PRICES[0], 5), now=NOW)
        for hour, price in enumerate(PRICES[1:], 1):
            offers.change(session, product["id"], first.id, {"price": price}, now=NOW + hour * HOUR)
        return {"product_id": product["id"], "id": first.id}


def of_offer(offer: Json, **query: str | int) -> str:
    return f"{offer_url(offer)}/history?" + "&".join(f"{key}={value}" for key, value in query.items())


def of_product(product_id: int) -> str:
    return f"{PRODUCTS}/{product_id}/offers/history"


def written(time: datetime) -> str:
    return quote(time.isoformat())


def test_a_change_shows_what_the_offer_became(client: FlaskClient, product: Json, offer: Json) -> None:
    assert client.get(of_product(product["id"])).get_json()["items"] == [
        {
            "product_id": product["id"],
            "offer_id": offer["id"],
            "source": "own",
            "external_id": None,
            "change": "appeared",
            "price": 100,
            "currency": None,
            "items_in_stock": 5,
            "changed_at": offer["created_at"],
        }
    ]


def test_a_removed_offer_keeps_its_history(client: FlaskClient, offer: Json) -> None:
    client.delete(offer_url(offer))
    appeared, removed = client.get(of_offer(offer)).get_json()["items"]

    assert (appeared["change"], appeared["price"]) == ("appeared", 100)
    assert (removed["change"], removed["price"], removed["items_in_stock"]) == ("removed", None, None)


def test_a_products_history_is_that_of_all_its_offers(client: FlaskClient, product: Json) -> None:
    past, present = (factories.posted_offer(client, product["id"]) for _ in range(2))
    client.delete(offer_url(past))
    found = [(each["offer_id"], each["change"]) for each in items(client, of_product(product["id"]))]

    assert found == [(past["id"], "appeared"), (present["id"], "appeared"), (past["id"], "removed")]


def test_an_offers_history_is_its_own(client: FlaskClient, product: Json, changed: Json) -> None:
    other = factories.posted_offer(client, product["id"])

    assert {each["offer_id"] for each in items(client, of_offer(other))} == {other["id"]}
    assert [each["price"] for each in items(client, of_offer(changed))] == PRICES


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, 4, PRICES),
        (1, 3, PRICES[1:3]),
        (None, 1, PRICES[:1]),
        (3, None, PRICES[3:]),
        (4, None, []),
        (3, 3, []),
    ],
)
def test_a_range_begins_at_from_and_ends_before_to(
    client: FlaskClient, changed: Json, since: int | None, until: int | None, expected: list[int]
) -> None:
    given = {"from": since, "to": until}
    query = {name: written(NOW + hour * HOUR) for name, hour in given.items() if hour is not None}

    assert [each["price"] for each in items(client, of_offer(changed, **query))] == expected


@SENDS_NO_SQL
def test_a_range_that_ends_before_it_begins_is_refused(client: FlaskClient, changed: Json) -> None:
    query = {"from": written(NOW + 3 * HOUR), "to": written(NOW + HOUR)}

    assert wrong_fields(client.get(of_offer(changed, **query))) == {"/from"}


@pytest.mark.parametrize("zone", ["%2B02:00", "-05:30", "Z", "z"])
def test_a_time_may_have_any_zone(client: FlaskClient, changed: Json, zone: str) -> None:
    found = client.get(of_offer(changed, **{"from": f"2026-11-20T00:00:00.5{zone}"}))

    assert len(found.get_json()["items"]) == len(PRICES)


def test_a_plus_that_was_not_escaped_is_explained(client: FlaskClient, changed: Json) -> None:
    (wrong,) = problem(client.get(of_offer(changed) + "from=2026-11-20T00:00:00+02:00"), 422)["errors"]

    assert "(a + is written %2B)" in wrong["detail"]


@pytest.mark.parametrize(
    "query", ["from=0001-01-01T00:00:00%2B23:59", "from=1969-12-31T23:59:59Z", "to=9999-12-31T23:59:59-23:59"]
)
def test_a_range_may_begin_before_all_records_and_end_after_them(
    client: FlaskClient, changed: Json, query: str
) -> None:
    assert len(items(client, of_offer(changed) + query)) == len(PRICES)


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "time",
    [
        "",
        "now",
        "1700000000",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T12:00:00 01:00",
    ],
)
@SENDS_NO_SQL
def test_a_text_that_is_no_time_is_refused(client: FlaskClient, changed: Json, name: str, time: str) -> None:
    assert wrong_fields(client.get(of_offer(changed, **{name: time}))) == {f"/{name}"}


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_pages_neither_skip_nor_repeat(client: FlaskClient, changed: Json, limit: int) -> None:
    found = pages(client, of_offer(changed, limit=limit))

    assert [each["price"] for page in found for each in page] == PRICES
    assert {len(page) for page in found[:-1]} <= {limit}


def test_changes_of_one_time_are_ordered_by_offer(
    client: FlaskClient, sessions: Sessions, product: Json
) -> None:
    with sessions.begin() as session:
        row = {"product_id": product["id"], "changed_at": NOW, "kind": 1, "price": 1, "items_in_stock": 1}
        session.add_all(OfferChange(offer_id=number, **row) for number in range(1, 6))
    found = items(client, of_product(product["id"]) + "?limit=2")

    assert [each["offer_id"] for each in found] == [1, 2, 3, 4, 5]


def test_a_change_between_two_pages_comes_last(client: FlaskClient, changed: Json) -> None:
    first = client.get(of_offer(changed, limit=3)).get_json()
    client.patch(offer_url(changed), json={"price": 7})

    assert [each["price"] for each in items(client, first["next"])] == [PRICES[3], 7]


def test_a_cursor_is_bound_to_its_range(client: FlaskClient, changed: Json) -> None:
    following = client.get(of_offer(changed, limit=1)).get_json()["next"]

    problem(client.get(f"{following}&to={written(NOW)}"), 400)


def test_a_history_is_tagged(client: FlaskClient, changed: Json) -> None:
    tag = client.get(of_offer(changed)).headers["ETag"]
    kept = client.get(of_offer(changed), headers={"If-None-Match": tag})
    client.patch(offer_url(changed), json={"price": 7})

    assert kept.status_code == 304
    assert client.get(of_offer(changed), headers={"If-None-Match": tag}).status_code == 200


def test_a_product_without_offers_has_an_empty_history(client: FlaskClient, product: Json) -> None:
    assert client.get(of_product(product["id"])).get_json() == {"items": [], "next": None}


def test_an_offer_that_outlived_its_history_has_an_empty_one(
    client: FlaskClient, sessions: Sessions, offer: Json
) -> None:
    with sessions.begin() as session:
        session.execute(delete(OfferChange))

    assert client.get(of_offer(offer)).get_json() == {"items": [], "next": None}


def test_offers_and_products_that_never_were_have_no_history(
    client: FlaskClient, offer: Json, other_product: Json
) -> None:
    problem(client.get(f"{PRODUCTS}/999999999/offers/history"), 404)
    problem(client.get(f"{PRODUCTS}/999999999/offers/{offer['id']}/history"), 404)
    problem(client.get(f"{offers_url(other_product)}/{offer['id']}/history"), 404)
