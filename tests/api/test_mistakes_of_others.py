"""Mistakes found in other APIs of this type, each as a test, unless another test covers it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.checks import OFFERS, PRODUCTS, items, offer_url, offers_url, problem, wrong_fields
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]


def test_a_client_does_not_choose_the_id_of_a_product(client: FlaskClient) -> None:
    # They gave every field of the body to the row.
    assert wrong_fields(client.post(PRODUCTS, json={"id": 77, "name": "Kettle"})) == {"/id"}

    problem(client.get(f"{PRODUCTS}/77"), 404)


@pytest.mark.parametrize("field", ["id", "product_id"])
def test_a_client_does_not_move_an_offer(client: FlaskClient, offer: Json, field: str) -> None:
    body = {"price": 1, "items_in_stock": 1, field: 77}

    assert wrong_fields(client.put(offer_url(offer), json=body)) == {f"/{field}"}
    assert client.get(offer_url(offer)).get_json() == offer


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_digits_with_letters_behind_them_are_not_an_id(
    client: FlaskClient, product: Json, method: str
) -> None:
    # MySQL compares 77 and '77abc' as numbers, and they are the same.
    problem(client.open(f"{PRODUCTS}/{product['id']}abc", method=method, json={"name": "Kettle"}), 404)

    assert items(client, PRODUCTS) == [product]


def test_a_missing_offer_is_neither_updated_nor_created(client: FlaskClient, offer: Json) -> None:
    # They answered 200 for an UPDATE that met no row.
    client.delete(offer_url(offer))

    problem(client.put(offer_url(offer), json={"price": 1, "items_in_stock": 1}), 404)
    problem(client.patch(offer_url(offer), json={"price": 1}), 404)
    assert items(client, OFFERS) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", PRODUCTS, 405),
        ("POST", PRODUCTS, 415),
        ("GET", f"{OFFERS}?x=1", 422),
    ],
)
@SENDS_NO_SQL
def test_errors_of_the_api_are_no_pages_even_for_browsers(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    problem(client.open(path, method=method, headers={"Accept": "text/html"}, data="name=x"), status)


@pytest.mark.parametrize(
    "query",
    ["product_id=9223372036854775808", "min_price=1e99", "sort=price;--", "cursor=%27", "in_stock=%00"],
)
@SENDS_NO_SQL
def test_no_message_mentions_the_database(client: FlaskClient, offer: Json, query: str) -> None:
    response = client.get(f"{OFFERS}?{query}")

    problem(response, 400 if query.startswith("cursor") else 422)


@pytest.mark.parametrize("path", ["", "/refresh", "/offers", "/offers/{offer}"])
def test_a_deleted_product_takes_its_offers_along(client: FlaskClient, offer: Json, path: str) -> None:
    # Theirs stayed, and the next product of that id inherited them.
    client.delete(f"{PRODUCTS}/{offer['product_id']}")
    url = f"{PRODUCTS}/{offer['product_id']}" + path.format(offer=offer["id"])

    problem(client.open(url, method="POST" if path == "/refresh" else "GET"), 404)
    assert items(client, OFFERS) == []
    problem(client.post(offers_url({"id": offer["product_id"]}), json={"price": 1, "items_in_stock": 1}), 404)
