"""Paths, methods and request ids: what holds for every request."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from productator.api.conventions.page_routes import is_page
from tests.api.checks import OFFERS, PRODUCTS, problem
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/v1",
        "/api/v2/products",
        f"{PRODUCTS}/",
        f"{PRODUCTS}/1/",
        f"{PRODUCTS}/0",
        f"{PRODUCTS}/-1",
        f"{PRODUCTS}/+1",
        f"{PRODUCTS}/1.0",
        f"{PRODUCTS}/1e0",
        f"{PRODUCTS}/77abc",
        f"{PRODUCTS}/007",
        f"{PRODUCTS}/\N{ARABIC-INDIC DIGIT ONE}",
        f"{PRODUCTS}/%201",
        f"{PRODUCTS}/1%0A",
        f"{PRODUCTS}/1%00",
        f"{PRODUCTS}/{2**63}",
        f"{PRODUCTS}/12345678901234567890",
        f"{PRODUCTS}/" + "9" * 5000,
        f"{PRODUCTS}/../products",
        f"{PRODUCTS}/1/offers/",
        f"{PRODUCTS}/1/offers/01",
        f"{PRODUCTS}/1/offers/x",
        f"{PRODUCTS}/1//offers",
        f"{OFFERS}/1",
        PRODUCTS.upper(),
        "/static/app.js",
        "/<script>",
        "/%7B%7B7*7%7D%7D",
    ],
)
@SENDS_NO_SQL
def test_anything_else_is_not_found(client: FlaskClient, product: Json, path: str) -> None:
    assert problem(client.open(path=path.partition("?")[0]), 404)["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    "path",
    [f"/{PRODUCTS}", f"//{PRODUCTS}", "//livez", "//metrics", "//problems", "//", PRODUCTS[1:], "livez", ""],
)
@SENDS_NO_SQL
def test_a_path_that_begins_with_no_slash_or_several_is_not_found(client: FlaskClient, path: str) -> None:
    # The client of Flask takes such a path for a host. A server decodes /%2fapi to two slashes.
    response = client.get("/", environ_overrides={"PATH_INFO": path})

    assert problem(response, 404)["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", PRODUCTS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", PRODUCTS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", f"{PRODUCTS}/1", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}),
        ("PUT", f"{PRODUCTS}/1/refresh", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PATCH", f"{PRODUCTS}/1/offers", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", f"{PRODUCTS}/1/offers/1", {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}),
        ("POST", OFFERS, {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/livez", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", PRODUCTS, {"GET", "HEAD", "OPTIONS", "POST"}),
        ("BREW", PRODUCTS, {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
@SENDS_NO_SQL
def test_a_refused_method_gets_the_allowed_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    response = client.open(path, method=method)

    assert problem(response, 405)["type"] == "/problems/method-not-allowed"
    assert set(response.headers["Allow"].split(", ")) == allowed


@SENDS_NO_SQL
def test_options_names_the_methods(client: FlaskClient) -> None:
    response = client.options(PRODUCTS)

    assert (response.status_code, response.text) == (200, "")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/offers", "?limit=0", "/{id}1", "/x"])
def test_head_answers_like_get_without_a_body(client: FlaskClient, product: Json, path: str) -> None:
    path = PRODUCTS + path.format(id=product["id"])

    head, get = client.head(path), client.get(path)

    assert (head.status_code, head.text) == (get.status_code, "")
    assert head.content_type == get.content_type


@pytest.mark.parametrize(
    "given", ["7", "a-B_c.d:e/f+g=h", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x" * 128]
)
def test_a_sane_request_id_is_taken(client: FlaskClient, given: str) -> None:
    response = client.get(PRODUCTS, headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] == given


def test_blanks_around_a_request_id_are_no_part_of_it(client: FlaskClient) -> None:
    assert client.get(PRODUCTS, headers={"X-Request-Id": " mine-7\t"}).headers["X-Request-Id"] == "mine-7"


@pytest.mark.parametrize(
    "given", ["", " ", "x" * 129, "a b", 'a"b', "<b>", "\xc4\x8daj", "a;b", "a,b", "\x7f"]
)
@SENDS_NO_SQL
def test_any_other_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    response = client.get("/nowhere", headers={"X-Request-Id": given})

    assert re.fullmatch("[0-9a-f]{32}", problem(response, 404)["request_id"])


def test_a_request_id_is_made_where_none_is_given(client: FlaskClient) -> None:
    first, second = (client.get(PRODUCTS).headers["X-Request-Id"] for _ in range(2))

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


@SENDS_NO_SQL
def test_a_problem_carries_the_request_id_that_was_given(client: FlaskClient) -> None:
    response = client.get("/nowhere", headers={"X-Request-Id": "mine-7"})

    assert problem(response, 404)["request_id"] == "mine-7"


def test_a_deletion_carries_the_request_id_too(client: FlaskClient, product: Json) -> None:
    response = client.delete(f"{PRODUCTS}/{product['id']}", headers={"X-Request-Id": "mine-7"})

    assert response.headers["X-Request-Id"] == "mine-7"


def test_answers_are_json_in_utf_8_as_it_is(client: FlaskClient) -> None:
    response = client.post(PRODUCTS, json={"name": "Čajník"})

    assert response.content_type == "application/json"
    assert "Čajník".encode() in response.data


@SENDS_NO_SQL
def test_no_answer_of_the_api_is_a_redirect(app: Flask) -> None:
    assert not app.url_map.redirect_defaults
    assert all(not rule.rule.endswith("/") for rule in app.url_map.iter_rules() if not is_page(app, rule))
