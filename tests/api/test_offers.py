"""A product's offers through HTTP: own ones can be written, external ones only read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from productator.models import Offer
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, offer_url, offers_url, problem
from tests.servers import dispose_of

Json = dict[str, Any]

FIELDS = {
    "id",
    "product_id",
    "source",
    "external_id",
    "price",
    "currency",
    "items_in_stock",
    "created_at",
    "updated_at",
}
WRITES = [
    ("PUT", {"price": 1, "items_in_stock": 1}),
    ("PATCH", {"price": 1}),
    ("PATCH", {}),
    ("DELETE", None),
]


@pytest.fixture
def external(client: FlaskClient, sessions: sessionmaker[Session], product: Json) -> Json:
    """An offer that the Offers service owns, as the API shows it."""
    offer_id = factories.external_offer(sessions, product["id"], remote_id="Ab-1", price=70)
    shown: Json = client.get(f"{offers_url(product)}/{offer_id}").get_json()
    return shown


def test_a_created_offer_is_answered_whole_and_ours(client: FlaskClient, product: Json) -> None:
    response = client.post(offers_url(product), json={"price": 130, "items_in_stock": 0})

    assert response.status_code == 201
    assert response.get_json().keys() == FIELDS
    assert (response.get_json()["price"], response.get_json()["items_in_stock"]) == (130, 0)
    assert (response.get_json()["source"], response.get_json()["external_id"]) == ("own", None)
    assert response.get_json()["product_id"] == product["id"]


def test_the_location_of_a_created_offer_leads_to_it(client: FlaskClient, product: Json) -> None:
    response = client.post(offers_url(product), json={"price": 130, "items_in_stock": 0})

    assert response.headers["Location"] == f"http://localhost{offer_url(response.get_json())}"
    assert client.get(response.headers["Location"]).get_json() == response.get_json()


def test_an_external_offer_shows_where_it_comes_from(external: Json) -> None:
    assert external.keys() == FIELDS
    assert (external["source"], external["external_id"]) == ("external", "Ab-1")


def test_amounts_at_both_ends_are_kept_exactly(client: FlaskClient, product: Json) -> None:
    offer = factories.posted_offer(client, product["id"], price=2**53 - 1, items_in_stock=0)

    assert (offer["price"], offer["items_in_stock"]) == (2**53 - 1, 0)
    assert client.get(offer_url(offer)).get_json() == offer


def test_put_replaces_an_own_offer(client: FlaskClient, offer: Json) -> None:
    response = client.put(offer_url(offer), json={"price": 90, "items_in_stock": 1})

    assert response.status_code == 200
    assert (response.get_json()["price"], response.get_json()["items_in_stock"]) == (90, 1)
    assert client.get(offer_url(offer)).get_json() == response.get_json()


@pytest.mark.parametrize("content_type", ["application/merge-patch+json", "application/json"])
def test_patch_changes_what_it_names(client: FlaskClient, offer: Json, content_type: str) -> None:
    response = client.patch(offer_url(offer), data='{"items_in_stock": 0}', content_type=content_type)

    assert response.status_code == 200
    assert (response.get_json()["price"], response.get_json()["items_in_stock"]) == (offer["price"], 0)
    assert client.get(offer_url(offer)).get_json() == response.get_json()


def test_a_change_moves_updated_at_alone(client: FlaskClient, offer: Json) -> None:
    changed = client.patch(offer_url(offer), json={"price": 1}).get_json()

    assert changed["updated_at"] > offer["updated_at"]
    assert changed["created_at"] == offer["created_at"]


@pytest.mark.parametrize("patch", [{}, {"price": 100}, {"price": 100, "items_in_stock": 5}])
def test_a_patch_of_nothing_leaves_the_offer_as_it_is(client: FlaskClient, offer: Json, patch: Json) -> None:
    response = client.patch(offer_url(offer), json=patch)

    assert (response.status_code, response.get_json()) == (200, offer)
    assert client.get(offer_url(offer)).get_json() == offer


def test_a_deleted_offer_is_gone(client: FlaskClient, product: Json, offer: Json) -> None:
    response = client.delete(offer_url(offer))

    assert (response.status_code, response.text) == (204, "")
    problem(client.get(offer_url(offer)), 404)
    assert client.get(offers_url(product)).get_json()["items"] == []


@pytest.mark.parametrize(("method", "body"), WRITES)
def test_an_external_offer_cannot_be_written(
    client: FlaskClient, external: Json, method: str, body: Json | None
) -> None:
    response = client.open(offer_url(external), method=method, json=body)

    assert str(external["id"]) in problem(response, 409)["detail"]
    assert client.get(offer_url(external)).get_json() == external


@pytest.mark.parametrize(("method", "body"), [("GET", None), *WRITES])
def test_an_offer_is_not_found_under_another_product(
    client: FlaskClient, other_product: Json, offer: Json, method: str, body: Json | None
) -> None:
    response = client.open(f"{offers_url(other_product)}/{offer['id']}", method=method, json=body)

    problem(response, 404)
    assert client.get(offer_url(offer)).get_json() == offer


@pytest.mark.parametrize(("method", "body"), WRITES)
def test_a_write_under_another_product_does_not_reveal_an_external_offer(
    client: FlaskClient, other_product: Json, external: Json, method: str, body: Json | None
) -> None:
    problem(client.open(f"{offers_url(other_product)}/{external['id']}", method=method, json=body), 404)


@pytest.mark.parametrize(("method", "body"), [("GET", None), *WRITES])
def test_an_unknown_offer_is_not_found(
    client: FlaskClient, product: Json, offer: Json, method: str, body: Json | None
) -> None:
    problem(client.open(f"{offers_url(product)}/{offer['id'] + 1}", method=method, json=body), 404)


def test_one_external_id_may_appear_under_two_products(
    client: FlaskClient, sessions: sessionmaker[Session], external: Json, other_product: Json
) -> None:
    factories.external_offer(sessions, other_product["id"], remote_id=external["external_id"])

    found = client.get(OFFERS).get_json()["items"]

    assert [each["external_id"] for each in found] == ["Ab-1", "Ab-1"]


def test_a_products_offers_are_its_own_and_the_external_ones(
    client: FlaskClient, product: Json, external: Json, offer: Json, other_product: Json
) -> None:
    factories.posted_offer(client, other_product["id"])

    assert client.get(offers_url(product)).get_json()["items"] == [external, offer]


def test_lists_show_a_whole_second_as_the_offer_does(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, offer: Json
) -> None:
    second = datetime(2026, 11, 23, 20, 28, 55, tzinfo=UTC)
    with sessions.begin() as session:
        session.execute(update(Offer).values(created_at=second, updated_at=second))

    shown = client.get(offer_url(offer)).get_json()

    assert shown["created_at"] == shown["updated_at"] == "2026-11-23T20:28:55.000000Z"
    assert client.get(offers_url(product)).get_json()["items"] == [shown]
    assert client.get(OFFERS).get_json()["items"] == [shown]


@pytest.mark.parametrize(
    "external_id", ['"', "\\", "a'b", "%s", "a/b", "\x01\t\n\x7f", "null", "1", " ", ":id"]
)
def test_lists_show_an_external_id_as_the_offer_does(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, external_id: str
) -> None:
    offer_id = factories.external_offer(sessions, product["id"], remote_id=external_id)

    shown = client.get(f"{offers_url(product)}/{offer_id}").get_json()

    assert shown["external_id"] == external_id
    for path in (offers_url(product), OFFERS):
        (listed,) = client.get(path).get_json()["items"]
        assert list(listed.items()) == list(shown.items())


def test_the_currency_is_null_unless_one_is_set(offer: Json) -> None:
    assert offer["currency"] is None


def test_the_currency_that_is_set_stands_on_every_offer(database_url: str) -> None:
    app = create_app(factories.settings(database_url=database_url, currency="CZK"))
    client = app.test_client()
    offer = factories.posted_offer(client, factories.posted_product(client)["id"])

    assert offer["currency"] == "CZK"
    assert client.patch(offer_url(offer), json={"price": 1}).get_json()["currency"] == "CZK"
    assert client.get(offer_url(offer)).get_json()["currency"] == "CZK"
    assert client.get(OFFERS).get_json()["items"][0]["currency"] == "CZK"
    assert client.get(f"{PRODUCTS}/{offer['product_id']}/offers").get_json()["items"][0]["currency"] == "CZK"
    dispose_of(app)
