"""Feeds and badges: at addresses that nobody can guess, which can be revoked."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.api.checks import PRODUCTS, offer_url
from tests.web.browser import send_form
from tests.web.pages import get

Json = dict[str, Any]
ATOM = "{http://www.w3.org/2005/Atom}"


def addresses(client: FlaskClient, product: Json) -> list[str]:
    """Of the feed and of the badge."""
    return re.findall(r'href="(/(?:feeds|badges)/[^"]+)"', get(client, f"/products/{product['id']}"))


def test_each_change_of_the_lowest_price_is_an_entry_that_keeps_its_id(
    client: FlaskClient, product: Json, offer: Json
) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    factories.posted_offer(client, product["id"], price=500)
    feed = addresses(client, product)[0]
    before = ElementTree.fromstring(client.get(feed).text)
    client.patch(offer_url(offer), json={"items_in_stock": 0})
    after = ElementTree.fromstring(client.get(feed).text)
    ids = [[each.text for each in root.iter(f"{ATOM}id")] for root in (before, after)]

    assert [each.findtext(f"{ATOM}title") for each in after.iter(f"{ATOM}entry")] == [
        "Now 500, before 90",
        "Now 90, before 100",
    ]
    assert ids[0] == [ids[1][0], ids[1][2]]


def test_a_feed_of_names_that_are_markup_is_xml(client: FlaskClient) -> None:
    product = factories.posted_product(client, name='<&> "cup"')
    for address in addresses(client, product):
        ElementTree.fromstring(client.get(address).text)


def test_a_badge_says_the_lowest_price(client: FlaskClient, product: Json, offer: Json) -> None:
    badge = client.get(addresses(client, product)[1])

    assert badge.content_type == "image/svg+xml; charset=utf-8"
    assert "100</text>" in badge.text


@pytest.mark.parametrize("secret", ["1", "1-", "1-0", "x", "-", "9" * 40 + "-1", "\u0661-0", "1-\u00e9"])
def test_another_address_is_not_there(client: FlaskClient, product: Json, secret: str) -> None:
    assert client.get(f"/feeds/{secret}.atom").status_code == 404
    assert client.get(f"/badges/{secret}.svg").status_code == 404


def test_readers_of_feeds_need_no_sign_in(client: FlaskClient, guarded: Any, product: Json) -> None:
    for address in addresses(client, product):
        assert guarded("all").get(address).status_code == 200


def test_revoked_addresses_are_gone_and_there_are_new_ones(client: FlaskClient, product: Json) -> None:
    old = addresses(client, product)
    send_form(client, f"/products/{product['id']}", "/feeds/revoke")

    assert [client.get(address).status_code for address in old] == [404, 404]
    assert [client.get(address).status_code for address in addresses(client, product)] == [200, 200]


def test_a_feed_ends_with_its_product(client: FlaskClient, product: Json) -> None:
    feed = addresses(client, product)[0]
    client.delete(f"{PRODUCTS}/{product['id']}")

    assert client.get(feed).status_code == 404
