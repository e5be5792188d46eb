"""Downloads: what a spreadsheet or a program gets."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.api.checks import offer_url
from tests.web.browser import sign_in

Json = dict[str, Any]


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_list_is_exported_as_it_is_filtered_and_sorted(client: FlaskClient) -> None:
    for name, price in (("Red cup", 20), ("Blue cup", 10), ("Plate", 5)):
        factories.posted_offer(client, factories.posted_product(client, name=name)["id"], price=price)
    response = client.get("/products.csv?q=cup&sort=price")

    assert response.content_type == "text/csv; charset=utf-8"
    assert 'filename="products.csv"' in response.headers["Content-Disposition"]
    assert [(each["name"], each["lowest_price"], each["change_percent"]) for each in rows(response.text)] == [
        ("Blue cup", "10", "0.0"),
        ("Red cup", "20", "0.0"),
    ]


def test_a_name_that_looks_like_a_formula_is_harmless(client: FlaskClient) -> None:
    factories.posted_product(client, name="=1+1")

    assert rows(client.get("/products.csv").text)[0]["name"] == "'=1+1"


def test_many_products_are_exported_once_each(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("productator.web.exports._ROWS_A_READ", 3)
    for number in range(8):
        factories.posted_product(client, name=f"Cup {number}")

    assert [each["name"] for each in rows(client.get("/products.csv").text)] == [f"Cup {n}" for n in range(8)]


def test_a_history_is_the_same_in_both_forms(client: FlaskClient, product: Json, offer: Json) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    path = f"/products/{product['id']}/history"
    lines = [json.loads(line) for line in client.get(f"{path}.jsonl").text.splitlines()]

    assert [(each["change"], each["price"]) for each in lines] == [("appeared", 100), ("changed", 90)]
    assert [(each["change"], each["price"]) for each in rows(client.get(f"{path}.csv").text)] == [
        ("appeared", "100"),
        ("changed", "90"),
    ]


def test_an_unknown_product_has_no_history(client: FlaskClient) -> None:
    assert client.get("/products/77/history.csv").status_code == 404


def test_what_a_viewer_downloads_is_for_nobody_else(guarded: Callable[..., FlaskClient]) -> None:
    client = guarded("all", admin_token="an-admin-token-of-this-test")
    sign_in(client, "an-admin-token-of-this-test")
    response = client.get("/products.csv")

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in response.vary


def test_a_download_for_everybody_depends_on_the_cookie(client: FlaskClient) -> None:
    response = client.get("/products.csv")

    assert response.headers["Cache-Control"] == "no-cache"
    assert "Cookie" in response.vary
