"""Feeds and badges: at addresses that nobody can guess, which can be revoked."""

import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.prices import product_prices
from tests import factories, servers
from tests.api.checks import PRODUCTS, offer_url
from tests.web.browser import send_form, sign_in
from tests.web.pages import get

Json = dict[str, Any]
ATOM = "{http://www.w3.org/2005/Atom}"


def addresses(client: FlaskClient, product: Json) -> list[str]:
    """Of the feed and of the badge."""
    return re.findall(
        r'href="(/(?:feeds|badges)/[^"]+\.(?:atom|svg))"', get(client, f"/products/{product['id']}")
    )


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


@pytest.mark.parametrize("odd", ["\x01", "\x0b", "\x1b", "\ufffe"])
def test_a_feed_of_names_with_characters_that_xml_cannot_have_is_xml(client: FlaskClient, odd: str) -> None:
    """One such name would else make the feed of all products unreadable."""
    product = factories.posted_product(client, name=f"Blue{odd}cup")
    offer = factories.posted_offer(client, product["id"])
    client.patch(offer_url(offer), json={"price": 90})
    for address in addresses(client, product):
        ElementTree.fromstring(client.get(address).text)

    assert [title for title, _ in entries(client, feed_of_all(client))] == [
        "Blue\ufffdcup: now 90, before 100"
    ]


def test_a_badge_says_the_lowest_price(client: FlaskClient, product: Json, offer: Json) -> None:
    badge = client.get(addresses(client, product)[1])

    assert badge.content_type == "image/svg+xml; charset=utf-8"
    assert "100</text>" in badge.text


@pytest.mark.parametrize(
    "secret", ["1", "1-", "1-0", "x", "-", "9" * 40 + "-1", "\u0661-0", "1-\u00e9", "all-", "all-0", "0-0"]
)
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


def test_revoking_asks_first_and_leads_back_to_the_product(client: FlaskClient, product: Json) -> None:
    page, question = f"/products/{product['id']}", f"/feeds/revoke?product_id={product['id']}"
    assert f'href="{question}"' in get(client, page)
    old = addresses(client, product)
    asked = get(client, question)
    assert "Revoke the addresses of all feeds and badges?" in asked
    assert f'name="product_id" value="{product["id"]}"' in asked
    assert addresses(client, product) == old
    answer = send_form(client, question, "/feeds/revoke", product_id=product["id"])

    assert answer.headers["Location"] == f"{page}?done=revoked"
    assert "were revoked" in get(client, answer.headers["Location"])


def test_only_admins_are_asked_whether_to_revoke(guarded: Any, sessions: sessionmaker[Session]) -> None:
    writer = guarded("write")
    sign_in(writer, factories.token(sessions, "write")[1])

    get(writer, "/feeds/revoke", status=403)


def test_a_feed_ends_with_its_product(client: FlaskClient, product: Json) -> None:
    feed = addresses(client, product)[0]
    client.delete(f"{PRODUCTS}/{product['id']}")

    assert client.get(feed).status_code == 404


def feed_of_all(client: FlaskClient) -> str:
    """Its address, to which the link on the list leads."""
    assert 'href="/feeds"' in get(client, "/")
    return client.get("/feeds").headers["Location"]


def entries(client: FlaskClient, feed: str) -> list[tuple[str | None, str | None]]:
    """Title and id of each entry."""
    root = ElementTree.fromstring(client.get(feed).text)
    return [(each.findtext(f"{ATOM}title"), each.findtext(f"{ATOM}id")) for each in root.iter(f"{ATOM}entry")]


def test_the_feed_of_all_has_the_changes_of_each_product_newest_first(
    client: FlaskClient, product: Json, offer: Json
) -> None:
    other = factories.posted_product(client, name="Blue cup")
    cup = factories.posted_offer(client, other["id"], price=70)
    client.patch(offer_url(offer), json={"price": 90})
    client.patch(offer_url(cup), json={"items_in_stock": 0})
    client.patch(offer_url(offer), json={"price": 95})

    found = entries(client, feed_of_all(client))
    assert [title for title, _ in found] == [
        f"{product['name']}: now 95, before 90",
        "Blue cup: not in stock any more, last 70",
        f"{product['name']}: now 90, before 100",
    ]
    of_the_product = entries(client, addresses(client, product)[0])
    assert [each for _, each in of_the_product] == [found[0][1], found[2][1]]


def test_products_that_only_appeared_leave_the_room_in_the_feed_of_all_to_changes(
    client: FlaskClient, product: Json, offer: Json
) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    for number in range(55):
        new = factories.posted_product(client, name=f"Cup {number}")
        factories.posted_offer(client, new["id"])

    assert len(entries(client, feed_of_all(client))) == 1


def test_a_new_day_changes_nothing_in_the_feed_of_all(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, offer: Json
) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    before = entries(client, feed_of_all(client))
    with sessions.begin() as session:
        product_prices.bring_up_to_date(session, after=0, now=utc_now() + timedelta(days=1))

    assert entries(client, feed_of_all(client)) == before != []


def test_the_feed_of_all_reads_few_records_of_a_product_that_changes_all_the_time(
    client: FlaskClient, product: Json, offer: Json
) -> None:
    for price in range(200, 260):
        client.patch(offer_url(offer), json={"price": price})
    feed = feed_of_all(client)
    with servers.statements() as sent:
        assert len(entries(client, feed)) == 19

    assert len([each for each in sent if each.startswith("SELECT")]) == 3


def test_the_feed_of_all_ends_when_addresses_are_revoked(
    client: FlaskClient, guarded: Any, product: Json
) -> None:
    old = feed_of_all(client)
    assert guarded("all").get(old).status_code == 200
    send_form(client, f"/products/{product['id']}", "/feeds/revoke")

    assert client.get(old).status_code == 404
    assert client.get(feed_of_all(client)).status_code == 200


def test_the_way_to_the_feed_of_all_is_for_readers(guarded: Any) -> None:
    assert guarded("all").get("/feeds").headers["Location"].startswith("/login")
