"""The answers of the API match its OpenAPI document."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from productator.api.conventions.problem_types import PROBLEM_TYPES
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, offer_url, offers_url, problem
from tests.marks import SENDS_NO_SQL
from tests.openapi import operations, resolved, strict, validate

Json = dict[str, Any]

PRICES = [
    "/{id}/price-history",
    "/{id}/price-history?interval=raw",
    "/{id}/price-trend",
    "/{id}/price-trend?to=2000-01-01T00:00:00Z",
    "/{id}/price-summary",
]


@pytest.fixture
def document(client: FlaskClient) -> Json:
    found: Json = client.get("/openapi.json").get_json()
    return strict(found)


def check_described(document: Json, app: Flask, response: TestResponse) -> None:
    """Checks the status, headers and body of an answer against the document."""
    with app.test_request_context(response.request.path, method=response.request.method) as context:
        operation_id = str(context.request.endpoint).rpartition(".")[2]
    operation = next(each for each in operations(document).values() if each["operationId"] == operation_id)
    described = resolved(document, operation["responses"][str(response.status_code)])
    headers = {name: resolved(document, header) for name, header in described["headers"].items()}
    always = {name for name, header in headers.items() if header["required"]}
    assert always <= set(response.headers.keys()) <= headers.keys() | {"Content-Type", "Content-Length"}
    content = described.get("content", {})
    assert bool(content) == bool(response.data)
    for media_type, each in content.items():
        assert response.mimetype == media_type
        is_text = media_type == "text/html"
        validate(document, each["schema"], response.text if is_text else response.get_json(force=True))


@pytest.mark.parametrize("path", ["", "/{id}", "/{id}/offers", "/{id}/offers/history", *PRICES])
def test_what_is_read_of_products_is_described(
    app: Flask, client: FlaskClient, document: Json, offer: Json, path: str
) -> None:
    check_described(document, app, client.get(PRODUCTS + path.format(id=offer["product_id"])))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json", f"{OFFERS}?limit=1", "/docs"])
def test_what_else_is_read_is_described(
    app: Flask, client: FlaskClient, document: Json, offer: Json, path: str
) -> None:
    check_described(document, app, client.get(path))


def test_a_page_before_the_last_is_described(
    app: Flask, client: FlaskClient, document: Json, product: Json, other_product: Json
) -> None:
    response = client.get(f"{PRODUCTS}?limit=1")

    assert response.get_json()["next"]
    check_described(document, app, response)


def test_an_offer_of_the_offers_service_is_described(
    app: Flask, client: FlaskClient, sessions: sessionmaker[Session], document: Json, refreshed_product: Json
) -> None:
    factories.external_offer(sessions, refreshed_product["id"])

    check_described(document, app, client.get(offers_url(refreshed_product)))


def test_what_is_written_is_described(app: Flask, client: FlaskClient, document: Json) -> None:
    created = client.post(PRODUCTS, json={"name": "Kettle"})
    url = f"{PRODUCTS}/{created.get_json()['id']}"
    offered = client.post(f"{url}/offers", json={"price": 1, "items_in_stock": 0})

    for response in (
        created,
        offered,
        client.post(f"{PRODUCTS}/batch", json={"items": [{"name": "Teapot"}, {"name": " ", "x": 1}]}),
        client.put(url, json={"name": "Kettle 2"}),
        client.patch(url, json={"description": None}),
        client.post(f"{url}/refresh"),
        client.get(f"{url}/refresh"),
        client.put(offer_url(offered.get_json()), json={"price": 2, "items_in_stock": 0}),
        client.patch(offer_url(offered.get_json()), json={"price": 3}),
        client.delete(offer_url(offered.get_json())),
        client.delete(url),
    ):
        check_described(document, app, response)


def test_not_modified_is_described(app: Flask, client: FlaskClient, document: Json, product: Json) -> None:
    url = f"{PRODUCTS}/{product['id']}"
    tag = client.get(url).headers["ETag"]

    check_described(document, app, client.get(url, headers={"If-None-Match": tag}))


REFUSED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("malformed-request", "POST", "", {"data": "{", "content_type": "application/json"}),
    ("malformed-key", "POST", "", {"json": {"name": "x"}, "headers": {"Idempotency-Key": '"'}}),
    ("cursor-rejected", "GET", "?cursor=x", {}),
    ("product-not-found", "GET", "/999999999", {}),
    ("product-not-found", "GET", "/999999999/offers", {}),
    ("offer-not-found", "DELETE", "/{id}/offers/999999999", {}),
    ("length-required", "POST", "", {"headers": {"Transfer-Encoding": "chunked"}, "json": {"name": "x"}}),
    ("body-encoded", "GET", "", {"headers": {"Transfer-Encoding": "gzip"}}),
    ("body-encoded", "POST", "", {"headers": {"Content-Encoding": "gzip"}, "json": {"name": "x"}}),
    ("stale-version", "PATCH", "/{id}", {"json": {"name": "Kettle"}, "headers": {"If-Match": '"99"'}}),
    ("weak-tag-sent", "DELETE", "/{id}", {"headers": {"If-Match": 'W/"1"'}}),
    ("version-excluded", "DELETE", "/{id}", {"headers": {"If-None-Match": "*"}}),
    ("body-too-large", "POST", "", {"data": b" " * (2**20 + 1), "content_type": "application/json"}),
    ("uri-too-long", "GET", "?q=" + 9_000 * "x", {}),
    ("headers-too-large", "GET", "", {"headers": {"X-Long": 33_000 * "x"}}),
    ("unsupported-media-type", "POST", "", {"data": "name=x", "content_type": "text/plain"}),
    ("invalid-input", "POST", "", {"json": {"name": " ", "id": 7}}),
    ("invalid-input", "GET", "?limit=0", {}),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused[0])
def test_problems_have_their_types_and_are_described(
    app: Flask,
    client: FlaskClient,
    document: Json,
    product: Json,
    refused: tuple[str, str, str, dict[str, Any]],
) -> None:
    kind, method, path, request = refused
    response = client.open(PRODUCTS + path.format(id=product["id"]), method=method, **request)

    assert problem(response, PROBLEM_TYPES[kind].status)["type"] == f"/problems/{kind}"
    check_described(document, app, response)


@pytest.mark.parametrize(("scope", "status"), [("", 401), ("read", 403)])
def test_refusals_for_tokens_are_described(
    guarded: Callable[..., FlaskClient],
    sessions: sessionmaker[Session],
    document: Json,
    scope: str,
    status: int,
) -> None:
    client = guarded("all")
    secret = factories.token(sessions, scope)[1] if scope else "unknown"

    response = client.delete(f"{PRODUCTS}/1", headers=factories.bearer(secret))

    assert response.status_code == status
    check_described(document, client.application, response)


@SENDS_NO_SQL
def test_an_unchanged_document_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-cache"
