"""CORS: which origins may call, and the headers of the answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from productator.domain import Rate
from tests import factories
from tests.servers import dispose_of

SHOP = "https://shop.example"
OTHER = "https://other.example"
PATCH = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[MakeClient]:
    """Makes a client of an API that shares with some origins."""
    apps = []

    def make(*origins: str, **settings: object) -> FlaskClient:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        settings = {"database_url": url, "cors_origins": frozenset(origins)} | settings
        apps.append(create_app(factories.settings(**settings)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/problems", "/api/v1/products?limit=0"])
def test_every_answer_to_a_named_origin_may_be_read(client_of: MakeClient, path: str) -> None:
    headers = client_of(SHOP, OTHER).get(path, headers={"Origin": SHOP}).headers

    assert headers["Access-Control-Allow-Origin"] == SHOP
    assert {"ETag", "Retry-After"} <= set(headers["Access-Control-Expose-Headers"].split(", "))
    assert "Origin" in headers["Vary"].split(", ")


@pytest.mark.parametrize(
    "origin", [OTHER, f"{SHOP}:8443", "http://shop.example", f"{SHOP}.evil", "null", "*"]
)
def test_no_other_origin_may_read(client_of: MakeClient, origin: str) -> None:
    headers = client_of(SHOP).options("/problems", headers={"Origin": origin} | PATCH).headers

    assert "Access-Control" not in str(headers)
    assert headers["Vary"] == "Origin"


def test_an_answer_without_an_origin_is_not_cached_for_requests_with_one(client_of: MakeClient) -> None:
    headers = client_of(SHOP).get("/problems").headers

    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_preflight_has_the_methods_of_the_path(client_of: MakeClient) -> None:
    response = client_of(SHOP).options("/api/v1/products/1", headers={"Origin": SHOP} | PATCH)

    methods = response.headers["Access-Control-Allow-Methods"].split(", ")
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, SHOP)
    assert set(methods) == {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT"}
    assert {"Authorization", "If-Match"} <= set(response.headers["Access-Control-Allow-Headers"].split(", "))


def test_a_preflight_needs_no_token_and_is_not_counted(client_of: MakeClient) -> None:
    client = client_of(SHOP, auth="all", rate_limit=Rate(1, 3600))

    answers = [client.options("/api/v1/products/1", headers={"Origin": SHOP} | PATCH) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_all_origins_can_be_allowed(client_of: MakeClient) -> None:
    headers = client_of("*").get("/livez", headers={"Origin": OTHER}).headers

    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in headers


@pytest.mark.parametrize("origins", [(), ("*",), (SHOP,)])
def test_credentials_are_never_allowed(client_of: MakeClient, origins: tuple[str, ...]) -> None:
    headers = client_of(*origins).get("/livez", headers={"Origin": SHOP}).headers

    assert "Access-Control-Allow-Credentials" not in headers


def test_no_origin_is_allowed_by_default(client_of: MakeClient) -> None:
    headers = client_of().get("/livez", headers={"Origin": SHOP}).headers

    assert "Vary" not in headers
    assert "Access-Control-Allow-Origin" not in headers
