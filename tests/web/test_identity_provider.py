"""Sign-in by a proxy: it sends the identity provider's token of whoever looks at a page."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.checks import PRODUCTS
from tests.identity import AUDIENCE, ISSUER, Jwks, SigningKey

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)
HEADER = "X-Forwarded-Access-Token"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.new("first")


@pytest.fixture
def jwks(server: object, key: SigningKey) -> Iterator[Jwks]:
    """Publishes the key; `server`, which decides on the database, is not used."""
    jwks = Jwks(key)
    yield jwks
    jwks.stop()


@pytest.fixture
def make(guarded: Callable[..., FlaskClient], jwks: Jwks) -> Callable[..., FlaskClient]:
    def client(**over: Any) -> FlaskClient:
        provider = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks_url": jwks.address}
        return guarded("all", **provider | {"trusted_proxies": 1} | over)

    return client


def test_a_token_in_the_proxys_header_is_a_sign_in(make: Callable[..., FlaskClient], key: SigningKey) -> None:
    answer = make(jwt_header=HEADER).get("/", headers={HEADER: key.token(sub="jana@example.com")})

    assert answer.status_code == 200
    assert "jana@example.com" in answer.text


@pytest.mark.parametrize("over", [{"exp": 1}, {"aud": "another"}, {"iss": "https://evil.example"}])
def test_a_token_that_the_api_would_refuse_is_none(
    make: Callable[..., FlaskClient], key: SigningKey, over: dict[str, Any]
) -> None:
    assert make(jwt_header=HEADER).get("/", headers={HEADER: key.token(**over)}).status_code == 303


def test_the_header_means_nothing_unless_it_is_set(make: Callable[..., FlaskClient], key: SigningKey) -> None:
    assert make().get("/", headers={HEADER: key.token()}).status_code == 303


def test_the_api_does_not_take_the_proxys_header(make: Callable[..., FlaskClient], key: SigningKey) -> None:
    assert make(jwt_header=HEADER).get(PRODUCTS, headers={HEADER: key.token()}).status_code == 401
