"""Checks that many tests of the API share: the shape of a problem, and the items of all pages."""

from typing import Any

import pymysql
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from productator.api.conventions.problem_types import INVALID_INPUT, PROBLEM_TYPES

PRODUCTS = "/api/v1/products"
OFFERS = "/api/v1/offers"


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """The body of a problem, after a check of its shape."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = response.get_json(force=True)
    assert body.keys() - {"errors"} == {"type", "title", "status", "detail", "instance", "request_id"}
    problem_type = PROBLEM_TYPES[body["type"].removeprefix("/problems/")]
    assert (body["title"], problem_type.status) == (problem_type.title, status)
    assert set(problem_type.headers) <= set(response.headers.keys())
    assert body["status"] == status
    assert body["detail"].strip()
    assert body["instance"] == response.request.path
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert ("errors" in body) == (problem_type is INVALID_INPUT)
    assert not mentions_the_database(response.text)
    return body


def wrong_fields(response: TestResponse) -> set[str]:
    """The JSON pointers of an invalid request's fields."""
    errors = problem(response, 422)["errors"]
    assert all(error.keys() == {"pointer", "detail"} and error["detail"] for error in errors)
    return {error["pointer"] for error in errors}


def mentions_the_database(text: str) -> bool:
    words = ("select ", "insert ", "update ", "delete from", "sqlalchemy", "pymysql", "sqlite", "traceback")
    return any(word in text.lower() for word in words)


def pages(client: FlaskClient, url: str) -> list[list[dict[str, Any]]]:
    """All pages from `url` on."""
    found = []
    following: str | None = url
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.text
        found.append(response.get_json()["items"])
        assert len(found) <= 100, "pages without an end"
        following = response.get_json()["next"]
    return found


def items(client: FlaskClient, url: str) -> list[dict[str, Any]]:
    """The items of all pages from `url` on."""
    return [item for page in pages(client, url) for item in page]


def offers_url(product: dict[str, Any]) -> str:
    return f"{PRODUCTS}/{product['id']}/offers"


def offer_url(offer: dict[str, Any]) -> str:
    return f"{PRODUCTS}/{offer['product_id']}/offers/{offer['id']}"


def failure(code: int, *, connection_lost: bool = False) -> OperationalError:
    """The exception that SQLAlchemy raises for an error of MySQL."""
    error = pymysql.OperationalError(code, "said by the server")
    return OperationalError("UPDATE products", {}, error, connection_invalidated=connection_lost)
