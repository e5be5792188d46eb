"""Addresses in answers that clients can follow, behind proxies, too."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.servers import dispose_of

NewClient = Callable[..., FlaskClient]
FORWARDED = {"Host": "shop.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
PUBLIC = "https://shop.example/productator"


@pytest.fixture
def new_client(database_url: str) -> Iterator[NewClient]:
    apps = []

    def make(**settings: Any) -> FlaskClient:
        apps.append(create_app(factories.settings(database_url=database_url, **settings)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)


def addresses(client: FlaskClient, headers: dict[str, str]) -> set[str]:
    """What stands before `/api/` in all addresses of answers."""
    first = client.post(PRODUCTS, json={"name": "Kettle"}, headers=headers)
    offers = f"{PRODUCTS}/{first.get_json()['id']}/offers"
    offer = client.post(offers, json={"price": 1, "items_in_stock": 1}, headers=headers)
    batch = client.post(f"{PRODUCTS}/batch", json={"items": [{"name": "Pot"}]}, headers=headers).get_json()
    page = client.get(f"{PRODUCTS}?limit=1", headers=headers)
    link = re.fullmatch('<(.*)>; rel="next"', page.headers["Link"])
    assert link
    found = [
        first.headers["Location"],
        offer.headers["Location"],
        batch["items"][0]["location"],
        page.get_json()["next"],
        link[1],
    ]
    return {address.partition("/api/v1/products")[0] for address in found}


@pytest.mark.parametrize(("proxies", "scheme"), [(0, "http"), (1, "https")])
def test_addresses_say_https_where_a_trusted_proxy_does(
    new_client: NewClient, proxies: int, scheme: str
) -> None:
    assert addresses(new_client(trusted_proxies=proxies), FORWARDED) == {f"{scheme}://shop.example"}


@pytest.mark.parametrize("prefix", ["/shop", "/sh%C3%B3p"])
def test_addresses_begin_with_the_prefix_of_a_trusted_proxy(new_client: NewClient, prefix: str) -> None:
    headers = FORWARDED | {"X-Forwarded-Prefix": prefix}

    assert addresses(new_client(trusted_proxies=1), headers) == {f"https://shop.example{prefix}"}


def test_addresses_begin_with_the_public_address(new_client: NewClient) -> None:
    assert addresses(new_client(public_url=PUBLIC), {"Host": "evil.example"}) == {PUBLIC}


@pytest.mark.parametrize("host", ["a b", "<script>", "shop.example:x"])
def test_addresses_are_relative_where_the_host_is_none(new_client: NewClient, host: str) -> None:
    assert addresses(new_client(), {"Host": host}) == {""}


@pytest.mark.parametrize("host", ["shop..example", f"{'a' * 64}.example"])
def test_a_host_that_no_address_may_have_creates_nothing(new_client: NewClient, host: str) -> None:
    client = new_client()

    problem(client.post(PRODUCTS, json={"name": "Kettle"}, headers={"Host": host}), 400)

    assert client.get(PRODUCTS).get_json()["items"] == []


def test_a_next_page_can_be_read_below_a_prefix(
    new_client: NewClient, sessions: sessionmaker[Session]
) -> None:
    made = [factories.stored_product(sessions) for _ in range(2)]
    client = new_client(public_url=PUBLIC)

    following = client.get(f"{PRODUCTS}?limit=1").get_json()["next"]

    # The proxy takes the prefix away.
    items = client.get(following.removeprefix(PUBLIC)).get_json()["items"]
    assert [each["id"] for each in items] == made[1:]
