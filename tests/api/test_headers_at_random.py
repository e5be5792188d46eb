"""Any value of any header that the API reads: never an error of the API itself."""

import os
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from productator.app import create_app
from productator.domain import Rate
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import MigratedDatabase, dispose_of, url_of

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

ADMIN = "given-by-the-operator"
NAMES = [
    "Accept-Encoding",
    "Authorization",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Expect",
    "Forwarded",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Origin",
    "Range",
    "Access-Control-Request-Headers",
    "Access-Control-Request-Method",
    "Transfer-Encoding",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Request-Id",
]
# Parts of valid values, whose combinations chance would not find.
PARTS = [
    "*",
    '"1"',
    '"1p"',
    'W/"1"',
    "W/",
    '"',
    ",",
    ";",
    "=",
    ":",
    "/",
    "[",
    "]",
    "%",
    "\\",
    "\x00",
    "ÿ",
    "gzip",
    "identity",
    "chunked",
    "bearer",
    "Bearer",
    "pt_x",
    "a.b.c",
    "0",
    "-1",
    "1e9",
    "99999999999999999999",
    "bytes=0-1",
    "::1",
    "192.0.2.1",
    ":80",
    "shop.example",
    "http",
    "https",
    "null",
    "GET",
    "PATCH",
    "utf-16",
    "charset=",
    "application/json",
    "application/merge-patch+json",
]
VALUES = st.lists(st.sampled_from(PARTS) | st.text(st.characters(max_codepoint=255)), max_size=6).map("".join)
# A header ends at the end of its line, so no server passes one on with another.
HEADERS = st.dictionaries(
    st.sampled_from(NAMES), VALUES.map(lambda value: value.replace("\r", "").replace("\n", "")), max_size=4
)
CALLS = st.sampled_from(
    [
        ("GET", "?limit=1"),
        ("GET", "/{id}"),
        ("POST", ""),
        ("POST", "/batch"),
        ("PUT", "/{id}"),
        ("PATCH", "/{id}"),
        ("DELETE", "/999999999"),
        ("OPTIONS", ""),
    ]
)


@pytest.fixture(scope="module")
def reader(kept: MigratedDatabase) -> Iterator[FlaskClient]:
    app = create_app(
        factories.settings(
            database_url=url_of(kept.engine),
            trusted_proxies=1,
            rate_limit=Rate(1_000_000, 60),
            auth="write",
            admin_token=ADMIN,
            cors_origins=frozenset({"https://shop.example"}),
        )
    )
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {ADMIN}"
    yield client
    dispose_of(app)


@pytest.fixture(scope="module")
def product_id(reader: FlaskClient) -> int:
    return int(factories.posted_product(reader)["id"])


# A thorough run takes 10,000.
@settings(max_examples=int(os.environ.get("TESTS_RANDOM_HEADERS", "300")))
@given(call=CALLS, headers=HEADERS)
def test_no_header_makes_the_api_fail(
    reader: FlaskClient, product_id: int, call: tuple[str, str], headers: dict[str, str]
) -> None:
    method, path = call
    body = '{"items": [{"name": "Kettle"}]}' if path == "/batch" else '{"name": "Kettle"}'
    sent = {"Content-Type": "application/json"} | headers

    response = reader.open(PRODUCTS + path.format(id=product_id), method=method, data=body, headers=sent)

    assert response.status_code < 500, response.text
    assert response.headers["X-Request-Id"]
