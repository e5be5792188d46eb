"""Rate limits as a caller sees them."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from productator.domain import Rate
from productator.ops import uwsgi_requests
from tests import factories
from tests.api.checks import problem
from tests.servers import dispose_of

PATH = "/problems"
MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[MakeClient]:
    """Makes a client that may send three requests in an hour by default."""
    apps = []

    def make(**settings: object) -> FlaskClient:
        settings = {"rate_limit": Rate(3, 3600)} | settings
        apps.append(create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}", **settings)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)


def statuses(client: FlaskClient, count: int, *, address: str = "192.0.2.1", **headers: str) -> list[int]:
    return [
        client.get(PATH, headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code
        for _ in range(count)
    ]


def test_requests_beyond_the_quota_are_refused(limited: MakeClient) -> None:
    assert statuses(limited(), 5) == [200, 200, 200, 429, 429]


def test_a_refusal_says_when_to_retry(limited: MakeClient) -> None:
    client = limited(rate_limit=Rate(1, 3600))
    client.get(PATH)

    refused = client.get(PATH)

    assert problem(refused, 429)["type"] == "/problems/too-many-requests"
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert refused.headers["RateLimit"] == f'"default";r=0;t={refused.headers["Retry-After"]}'


def test_every_answer_has_the_quota_and_the_rest_of_it(limited: MakeClient) -> None:
    client = limited()
    client.get(PATH)

    response = client.get("/nowhere")

    assert response.headers["RateLimit-Policy"] == '"default";q=3;w=3600'
    assert re.fullmatch('"default";r=1;t=(3600|3[5][0-9]{2})', response.headers["RateLimit"])


def test_nothing_is_limited_by_default(limited: MakeClient) -> None:
    client = limited(rate_limit=None)

    assert statuses(client, 200) == [200] * 200
    assert "RateLimit" not in client.get(PATH).headers


@pytest.mark.parametrize("path", ["/livez", "/metrics"])
def test_probes_are_never_refused(limited: MakeClient, path: str) -> None:
    client = limited()
    statuses(client, 4, address="127.0.0.1")

    assert client.get(path).status_code != 429
    assert "RateLimit" not in client.get(path).headers


def test_options_without_a_token_are_never_refused(limited: MakeClient) -> None:
    client = limited()
    statuses(client, 4, address="127.0.0.1")

    assert client.options(PATH).status_code == 200


UNREADABLE = {
    "414": {"query_string": 9_000 * "x"},
    "431": {"headers": {"X-Long": 33_000 * "x"}},
    "400 for the length": {"environ_overrides": {"CONTENT_LENGTH": "x"}},
    "400 for the host": {"headers": {"Host": 300 * "x"}},
    "400 of the server": {"environ_overrides": {uwsgi_requests.UNREADABLE: "This is not HTTP."}},
    "415": {"headers": {"Transfer-Encoding": "gzip, chunked"}},
}


@pytest.mark.parametrize("request_", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("path", [PATH, "/api/v1/products"])
@pytest.mark.parametrize("token", [None, "the-admins-own-token"])
def test_requests_that_cannot_be_read_are_counted(
    limited: MakeClient, request_: dict[str, Any], path: str, token: str | None
) -> None:
    client = limited(admin_token="the-admins-own-token")
    request_ = copy.deepcopy(request_)
    if token:
        request_["headers"] = request_.get("headers", {}) | {"Authorization": f"Bearer {token}"}

    answers = [client.get(path, **request_).status_code for _ in range(5)]

    assert answers[0] in {400, 414, 415, 431}
    assert answers == [answers[0]] * 3 + [429] * 2


def test_each_address_is_counted_separately(limited: MakeClient) -> None:
    client = limited()
    statuses(client, 4)

    assert statuses(client, 1, address="192.0.2.2") == [200]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("[2001:db8:1:1::1]:4711", "2001:db8:1:1::2", True),
        ("[2001:db8:1:1::1]", "[2001:db8:1:1::2]:80", True),
        ("192.0.2.1:4711", "192.0.2.1:4712", True),
        ("192.0.2.1:4711", "192.0.2.1", True),
        ("192.0.2.1:4711", "192.0.2.2:4711", False),
    ],
)
def test_a_caller_is_an_address_without_its_port_and_of_ipv6_a_network(
    limited: MakeClient, one: str, other: str, is_same: bool
) -> None:
    client = limited()
    statuses(client, 3, address=one)

    assert statuses(client, 1, address=other) == [429 if is_same else 200]


def test_forwarded_addresses_are_not_believed(limited: MakeClient) -> None:
    client = limited()
    statuses(client, 3)

    assert statuses(client, 1, **{"X-Forwarded-For": "198.51.100.7"}) == [429]


def test_the_address_a_trusted_proxy_adds_is_believed(limited: MakeClient) -> None:
    client = limited(trusted_proxies=1)
    statuses(client, 3, **{"X-Forwarded-For": "198.51.100.7"})

    # The caller can invent the addresses before it.
    assert statuses(client, 1, **{"X-Forwarded-For": "203.0.113.1, 198.51.100.7"}) == [429]
    assert statuses(client, 1, **{"X-Forwarded-For": "198.51.100.8"}) == [200]


def test_a_trusted_proxy_may_write_anything_into_the_address(limited: MakeClient) -> None:
    client = limited(trusted_proxies=1)

    assert statuses(client, 4, **{"X-Forwarded-For": "unknown"}) == [200, 200, 200, 429]
