"""The page of a product: what it says of the price, and what it lists."""

import random
import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from lab import made_up_history, made_up_system
from productator.domain import utc_now
from productator.models import Product, Refresh
from tests import factories
from tests.api.checks import offer_url
from tests.web.pages import get, texts

Json = dict[str, Any]
Sessions = sessionmaker[Session]
NBSP = "\u00a0"


def page_of(product: Json, query: str = "") -> str:
    return f"/products/{product['id']}{query}"


@pytest.fixture
def watched(sessions: Sessions) -> Json:
    """A product whose prices have moved for a hundred days."""
    with sessions.begin() as session:
        product_id = made_up_history.add_product(
            session, "Espresso machine", price=10_000, chance=random.Random(7), now=utc_now(), drift=-0.3
        )
    return {"id": product_id}


def test_a_product_without_offers_says_so(client: FlaskClient, product: Json) -> None:
    html = get(client, page_of(product))

    assert "No offers yet" in html
    assert "registration with the Offers service is pending" in html
    assert "<svg" not in html


def test_there_is_no_page_of_an_unknown_product(client: FlaskClient) -> None:
    assert "There is no such product" in get(client, "/products/77", status=404)
    get(client, "/products/0", status=404)


def test_the_cheapest_offer_in_stock_comes_first_and_is_the_price(client: FlaskClient, product: Json) -> None:
    for price, items in ((1_500, 2), (1_299, 1), (900, 0)):
        factories.posted_offer(client, product["id"], price=price, items_in_stock=items)
    html = get(client, page_of(product))

    assert '<p class="amount">1,299</p>' in html
    assert "2 of 3 offers in stock" in html
    assert html.index(">1,299</td>") < html.index(">1,500</td>") < html.index(">900</td>")


def test_a_changed_offer_is_told_with_what_it_was(client: FlaskClient, product: Json, offer: Json) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    client.patch(offer_url(offer), json={"items_in_stock": 1})
    client.delete(offer_url(offer))
    told = texts(get(client, page_of(product)), "ul li")
    name = f"Offer {offer['id']}"

    assert [re.sub(" [0-9]+\\ss ago$", "", each) for each in told] == [
        f"{name} is gone, last 90",
        f"{name} has 1 in stock, before 5; 90",
        f"{name} now 90, before 100",
        f"{name} is new: 100, 5 in stock",
    ]


def test_past_offers_are_shown_on_demand(client: FlaskClient, product: Json, offer: Json) -> None:
    client.delete(offer_url(offer))
    assert "removed" not in get(client, page_of(product))

    assert f"Offer {offer['id']}, last 100; removed" in get(client, page_of(product, "?past=1"))


def test_thousands_of_offers_are_shown_on_demand(
    client: FlaskClient, sessions: Sessions, product: Json
) -> None:
    factories.external_offers(sessions, product["id"], count=60)

    assert get(client, page_of(product)).count('<td class="nowrap">Offer') == 50
    assert get(client, page_of(product, "?all=1")).count('<td class="nowrap">Offer') == 60


@pytest.mark.parametrize("span", ["24h", "7d", "30d", "90d", "all", "nonsense"])
def test_every_range_has_its_chart_in_words_and_as_a_table(
    client: FlaskClient, watched: Json, span: str
) -> None:
    html = get(client, page_of(watched, f"?range={span}"))
    drawn = html.partition('<path class="line" d="')[2].partition('"')[0]

    assert drawn.startswith("M")
    assert 'role="img" aria-label="Lowest price over ' in html
    assert 1 <= drawn.count("V") + drawn.count("M") <= html.count("<tr><td><time")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(minutes=5), "24 hours"),
        (timedelta(days=3), "7 days"),
        (timedelta(days=8), "30 days"),
        (timedelta(days=100), "30 days"),
    ],
)
def test_the_chart_of_a_young_product_shows_its_whole_life(
    client: FlaskClient, sessions: Sessions, watched: Json, age: timedelta, words: str
) -> None:
    with sessions.begin() as session:
        session.execute(update(Product).values(created_at=utc_now() - age))

    assert f'aria-label="Lowest price over {words}: ' in get(client, page_of(watched))


@pytest.mark.parametrize("span", ["24h", "all"])
def test_the_axis_of_a_product_known_for_seconds_has_ten_minutes(
    client: FlaskClient, product: Json, offer: Json, span: str
) -> None:
    html = get(client, page_of(product, f"?range={span}"))
    found = re.search('data-start="([0-9]+)" data-end="([0-9]+)"', html)

    assert found
    assert int(found[2]) - int(found[1]) == 600
    assert 'class="line now"' in html


def test_the_axis_begins_where_the_known_time_does(client: FlaskClient, watched: Json) -> None:
    html = get(client, page_of(watched, "?range=all"))
    found = re.search('data-start="([0-9]+)" data-end="([0-9]+)"', html)

    assert found
    assert 99 <= (int(found[2]) - int(found[1])) / 86_400 <= 101


def test_the_page_says_where_the_price_stands(client: FlaskClient, watched: Json) -> None:
    html = get(client, page_of(watched))

    assert "of the last 90 days" in html
    assert "Reference price" in html


def test_old_prices_say_since_when_and_why(client: FlaskClient, sessions: Sessions, watched: Json) -> None:
    with sessions.begin() as session:
        values = {"refreshed_at": utc_now() - timedelta(minutes=10), "last_error": "It answered 503."}
        session.execute(update(Refresh).values(values))
    html = get(client, page_of(watched))

    assert "These prices are old" in html
    assert f"not refreshed for 90{NBSP}s count as old" in html
    assert f"10{NBSP}min ago" in html
    assert "It answered 503." in html


def test_a_page_asks_again_soon_while_a_refresh_is_due_or_under_way(
    client: FlaskClient, sessions: Sessions, watched: Json
) -> None:
    def asks_soon(**values: Any) -> bool:
        with sessions.begin() as session:
            session.execute(update(Refresh).values(values))
        return "data-soon" in get(client, page_of(watched))

    now, minutes = utc_now(), timedelta(minutes=2)
    assert not asks_soon(due_at=now + minutes)
    assert asks_soon(due_at=now)
    assert asks_soon(due_at=now + minutes, claim_token="x")
    assert not asks_soon(due_at=now - minutes, claim_token=None)


@pytest.mark.parametrize("is_registered", [True, False])
@pytest.mark.parametrize("done", ["", "refresh", "created"])
def test_a_service_that_is_down_is_told_and_nothing_is_promised(
    client: FlaskClient, sessions: Sessions, product: Json, done: str, is_registered: bool
) -> None:
    with sessions.begin() as session:
        made_up_system.add_refreshers(session, now=utc_now(), down_since=utc_now() - timedelta(minutes=4))
        session.execute(update(Product).values(registered_at=utc_now() if is_registered else None))
    html = get(client, page_of(product, f"?done={done}"))

    assert "The Offers service has been down since" in html
    assert '<a href="/system">See why</a>' in html
    assert "in about a second" not in html


def test_prices_have_the_decimals_and_the_currency_of_the_settings(guarded: Any) -> None:
    client = guarded("off", price_decimals=2, currency="EUR")
    product = factories.posted_product(client)
    factories.posted_offer(client, product["id"], price=129_905)

    assert f">1,299.05{NBSP}EUR<" in get(client, page_of(product))
    assert f">1.299,05{NBSP}EUR<" in get(client, page_of(product), {"Accept-Language": "de"})


def test_who_may_only_read_sees_no_forms(guarded: Any, sessions: Sessions) -> None:
    product_id = factories.stored_product(sessions)

    assert 'method="post"' not in get(guarded("write"), f"/products/{product_id}")


@pytest.mark.parametrize(
    "path", ["", "/77/edit", "/77/delete", "/77/refresh", "/77/offers", "/77/offers/1", "/77/offers/1/delete"]
)
def test_who_may_only_read_changes_nothing(guarded: Any, path: str) -> None:
    """The answer comes before anything is looked for."""
    assert guarded("write").post(f"/products{path}", data={"name": "x"}).status_code in {303, 401, 403}


@pytest.mark.parametrize("path", ["/", "/products/77", "/products.csv", "/products/77/history.csv"])
def test_who_may_not_read_sees_nothing(guarded: Any, path: str) -> None:
    assert guarded("all").get(path).status_code in {303, 403}


def test_pages_that_are_turned_off_are_not_there(guarded: Any) -> None:
    client = guarded("off", pages=False)

    assert client.get("/").status_code == 404
    assert client.get("/static/style.css").status_code == 404
    assert client.get("/api/v1/products").status_code == 200


def test_very_many_changes_are_drawn_by_the_hour(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        product_id = made_up_history.add_product(
            session,
            "Busy",
            price=10_000,
            chance=random.Random(7),
            now=utc_now(),
            days=5,
            changes_a_day=500,
        )
    rows = get(client, f"/products/{product_id}?range=7d").count("<tr><td><time")

    assert 60 <= rows <= 5 * 24 + 1


def test_lines_of_offers_are_drawn_on_demand_with_the_same_data_in_a_table(
    client: FlaskClient, product: Json
) -> None:
    offers = [factories.posted_offer(client, product["id"], price=price) for price in (120, 100)]
    client.patch(offer_url(offers[0]), json={"price": 110})
    client.patch(offer_url(offers[0]), json={"items_in_stock": 0})
    without, html = (get(client, page_of(product, query)) for query in ("", "?range=24h&lines=1"))

    assert 'class="offer' not in without
    assert 'class="offer offer-2"' in html
    link = re.search(r'href="([^"]*)" data-in-place="7d"', html)
    assert link
    assert "lines=1" in link[1]
    table = html[html.index("Prices of single offers") :]
    rows = [each[1:] for each in zip(*[iter(texts(table[: table.index("</table>")], "td"))] * 3, strict=True)]
    assert rows == [
        (f"Offer {offers[0]['id']}", "not in stock"),
        (f"Offer {offers[0]['id']}", "110"),
        (f"Offer {offers[1]['id']}", "100"),
        (f"Offer {offers[0]['id']}", "120"),
    ]


def test_of_many_offers_the_cheapest_have_lines(client: FlaskClient, product: Json) -> None:
    for price in range(100, 108):
        factories.posted_offer(client, product["id"], price=price)
    html = get(client, page_of(product, "?lines=1"))

    assert "The 6 cheapest of 8 offers are drawn" in html
    assert 'class="offer offer-6"' in html
    assert "offer-7" not in html


def test_a_line_of_very_many_changes_begins_late_and_says_so(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        busy = made_up_history.add_product(
            session, "Busy", price=10_000, chance=random.Random(7), now=utc_now(), days=2, changes_a_day=300,
            offers=1,
        )  # fmt: skip
    html = get(client, page_of({"id": busy}, "?lines=1"))

    assert "its line begins late" in html
    table = html[html.index("Prices of single offers") :]
    assert table[: table.index("</table>")].count("<tr>") == 1 + 200
