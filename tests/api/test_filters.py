"""Filters and orders of the lists of offers, and the age of offers."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.models import Refresh
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, items, offers_url, problem

Json = dict[str, Any]


@pytest.fixture
def four_offers(client: FlaskClient, sessions: sessionmaker[Session], product: Json) -> Json:
    """A product with offers of 20, 10 (external, sold out), 10 and 30 (external)."""
    factories.posted_offer(client, product["id"], price=20, items_in_stock=1)
    factories.external_offer(sessions, product["id"], price=10, items_in_stock=0)
    factories.posted_offer(client, product["id"], price=10, items_in_stock=2**53 - 1)
    factories.external_offer(sessions, product["id"], price=30, items_in_stock=3)
    return product


@pytest.fixture
def another_offer(client: FlaskClient, other_product: Json) -> Json:
    """An offer of 15 of another product."""
    return factories.posted_offer(client, other_product["id"], price=15)


FILTERED = [
    ("", [20, 10, 10, 30]),
    ("?sort=id", [20, 10, 10, 30]),
    ("?sort=price", [10, 10, 20, 30]),
    ("?sort=-price", [30, 20, 10, 10]),
    ("?in_stock=true", [20, 10, 30]),
    ("?in_stock=false", [10]),
    ("?min_price=20", [20, 30]),
    ("?max_price=20", [20, 10, 10]),
    ("?min_price=10&max_price=10", [10, 10]),
    ("?min_price=11&max_price=19", []),
    ("?min_price=0&max_price=9007199254740991", [20, 10, 10, 30]),
    ("?sort=-price&in_stock=true&max_price=20", [20, 10]),
]


@pytest.mark.parametrize(("query", "prices"), FILTERED)
def test_a_products_offers_are_filtered_and_sorted(
    client: FlaskClient, four_offers: Json, another_offer: Json, query: str, prices: list[int]
) -> None:
    body = client.get(offers_url(four_offers) + query).get_json()

    assert [offer["price"] for offer in body["items"]] == prices
    assert body["next"] is None


@pytest.mark.parametrize(("query", "prices"), FILTERED)
def test_one_products_offers_in_the_list_of_all_are_filtered_and_sorted_likewise(
    client: FlaskClient, four_offers: Json, another_offer: Json, query: str, prices: list[int]
) -> None:
    body = client.get(f"{OFFERS}?{query.removeprefix('?')}&product_id={four_offers['id']}").get_json()

    assert [offer["price"] for offer in body["items"]] == prices


def test_all_offers_are_those_of_all_products(
    client: FlaskClient, four_offers: Json, another_offer: Json
) -> None:
    assert [offer["price"] for offer in items(client, f"{OFFERS}?sort=price")] == [10, 10, 15, 20, 30]


@pytest.mark.parametrize("sort", ["id", "price"])
def test_equal_prices_are_sorted_by_id(client: FlaskClient, product: Json, sort: str) -> None:
    made = [factories.posted_offer(client, product["id"], price=7) for _ in range(3)]

    assert client.get(f"{offers_url(product)}?sort={sort}").get_json()["items"] == made
    assert client.get(f"{OFFERS}?sort={sort}").get_json()["items"] == made


def test_equal_prices_are_sorted_by_id_downwards_when_prices_are(client: FlaskClient, product: Json) -> None:
    made = [factories.posted_offer(client, product["id"], price=7) for _ in range(3)]

    assert client.get(f"{offers_url(product)}?sort=-price").get_json()["items"] == made[::-1]
    assert client.get(f"{OFFERS}?sort=-price").get_json()["items"] == made[::-1]


def test_offers_of_an_unknown_product_among_all_are_none(client: FlaskClient, offer: Json) -> None:
    assert client.get(f"{OFFERS}?product_id=4611686018427387904").get_json() == {"items": [], "next": None}


def test_a_filter_that_passes_nothing_does_not_hide_the_product(client: FlaskClient, offer: Json) -> None:
    response = client.get(f"{PRODUCTS}/{offer['product_id']}/offers?min_price=999")

    assert (response.status_code, response.get_json()["items"]) == (200, [])


def test_offers_never_fetched_are_stale(client: FlaskClient, product: Json) -> None:
    assert client.get(offers_url(product)).get_json() == {
        "items": [],
        "next": None,
        "refreshed_at": None,
        "stale": True,
    }


@pytest.mark.parametrize(
    ("age_s", "stale"), [(0, False), (60, False), (95, True), (86_400, True), (-86_400, True)]
)
def test_offers_are_stale_after_three_periods_of_thirty_seconds(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, age_s: int, stale: bool
) -> None:
    refreshed_at = utc_now() - timedelta(seconds=age_s)
    with sessions.begin() as session:
        session.get_one(Refresh, product["id"]).refreshed_at = refreshed_at

    body = client.get(offers_url(product)).get_json()

    assert body["stale"] is stale
    assert body["refreshed_at"] == refreshed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_time_of_the_refresh_stands_beside_filtered_offers_too(
    client: FlaskClient, refreshed_product: Json, offer: Json
) -> None:
    body = client.get(f"{offers_url(refreshed_product)}?min_price=999").get_json()

    assert body["refreshed_at"] == "2026-11-23T12:00:00.000000Z"


def test_a_product_lost_between_two_readers_is_not_found(app: Flask, product: Json) -> None:
    first, second = app.test_client(), app.test_client()
    first.delete(f"{PRODUCTS}/{product['id']}")

    problem(second.get(offers_url(product)), 404)
