"""The first page: what it lists, in which order, and what it says of old prices."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import overview
from productator.domain import utc_now
from productator.models import Product, ProductPrice, Refresh
from tests import factories, servers
from tests.api.checks import offer_url, problem
from tests.web.pages import get, names, texts

Json = dict[str, Any]
Sessions = sessionmaker[Session]


def priced(client: FlaskClient, name: str, price: int) -> Json:
    product = factories.posted_product(client, name=name)
    return factories.posted_offer(client, product["id"], price=price)


def set_history(
    sessions: Sessions, product_id: int, lows: str, permille: int, *, is_lowest: bool = False
) -> None:
    with sessions.begin() as session:
        values = {"day_lows": lows, "change_permille": permille, "is_lowest": is_lowest}
        session.execute(update(ProductPrice).where(ProductPrice.product_id == product_id).values(values))


def set_refreshed(sessions: Sessions, product_id: int, age_s: float) -> None:
    with sessions.begin() as session:
        refreshed_at = utc_now() - timedelta(seconds=age_s)
        session.execute(
            update(Refresh).where(Refresh.product_id == product_id).values(refreshed_at=refreshed_at)
        )
        session.execute(update(Product).where(Product.id == product_id).values(registered_at=refreshed_at))


def test_a_product_is_listed_with_its_lowest_price_in_stock(client: FlaskClient, product: Json) -> None:
    for price, items in ((1_500, 2), (1_299, 1), (900, 0)):
        factories.posted_offer(client, product["id"], price=price, items_in_stock=items)
    row = texts(get(client, "/"), "tbody tr")[0]

    assert row.startswith("Espresso machine")
    assert "1,299" in row
    assert "900" not in row


def test_products_with_an_alert_are_marked_and_found(client: FlaskClient) -> None:
    """By an active rule that is about the product alone."""
    told, silent, plain = (priced(client, name, 10)["product_id"] for name in ("Axe", "Bell", "Cup"))
    for product_id, active in ((told, True), (told, True), (silent, False), (None, True)):
        rule = {"kind": "out_of_stock", "product_id": product_id, "active": active}
        assert client.post("/api/v1/alert-rules", json=rule).status_code == 201
    html = get(client, "/")

    assert re.findall(r'href="/products/(\d+)#alerts"', html) == [str(told)]
    assert names(get(client, "/?has_alert=1")) == ["Axe"]
    assert names(get(client, "/?has_alert=1&sort=price")) == ["Axe"]
    assert client.get("/products.csv?has_alert=1").text.count("\n") == 2
    assert plain


def test_an_alert_is_found_where_many_products_have_one(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Axe", "Bell"):
        product_id = priced(client, name, 10)["product_id"]
        client.post("/api/v1/alert-rules", json={"kind": "out_of_stock", "product_id": product_id})
    priced(client, "Cup", 10)
    monkeypatch.setattr(overview, "_FEW", 0)

    assert names(get(client, "/?has_alert=1")) == ["Axe", "Bell"]


def test_without_products_the_page_offers_a_form_and_tells_of_imports(client: FlaskClient) -> None:
    html = get(client, "/")

    assert "No products yet" in html
    assert 'action="/products"' in html
    assert "productator products import" in html


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("name", ["Axe", "Bell", "Cup", "Dish"]),
        ("-name", ["Dish", "Cup", "Bell", "Axe"]),
        ("-id", ["Dish", "Cup", "Bell", "Axe"]),
        ("price", ["Cup", "Axe", "Bell"]),
        ("-price", ["Bell", "Axe", "Cup"]),
        ("change", ["Bell", "Axe", "Cup"]),
        ("-change", ["Cup", "Axe", "Bell"]),
        ("nonsense", ["Axe", "Bell", "Cup", "Dish"]),
    ],
)
def test_products_are_listed_in_each_order(
    client: FlaskClient, sessions: Sessions, sort: str, found: list[str]
) -> None:
    """Those without a price are not part of an order of prices."""
    for name, price, permille in (("Axe", 20, -5), ("Bell", 30, -200), ("Cup", 10, 70)):
        product_id = priced(client, name, price)["product_id"]
        set_history(sessions, product_id, "1", permille)
    factories.posted_product(client, name="Dish")

    assert names(get(client, f"/?sort={sort}")) == found


def test_the_change_that_is_shown_is_the_one_of_the_order(client: FlaskClient) -> None:
    """On the first day, too: from the lowest price of that day."""
    for name, prices in (("Axe", (100, 130)), ("Bell", (100, 110)), ("Cup", (100, 100))):
        offer = priced(client, name, prices[0])
        client.patch(offer_url(offer), json={"price": prices[1]})
    rows = texts(get(client, "/?sort=change").replace("\u00a0", " "), "tbody tr")

    for row, change in zip(rows, ("100 unchanged", "110 ▲ 10 % dearer", "130 ▲ 30 % dearer"), strict=True):
        assert change in row


def test_pages_follow_each_other_in_the_order_of_falling_prices(
    client: FlaskClient, sessions: Sessions
) -> None:
    for number in range(60):
        product_id = priced(client, f"Cup {number}", 100)["product_id"]
        set_history(sessions, product_id, "1", number - 30)
    first = get(client, "/?sort=change")
    following = re.search('<a href="([^"]+)" rel="next"', first)
    assert following
    second = get(client, unescape(following[1]))

    assert names(first) + names(second) == [f"Cup {number}" for number in range(60)]
    assert "First page" in second
    assert 'rel="next"' not in second


def test_a_cursor_of_another_list_is_refused(client: FlaskClient) -> None:
    problem(client.get("/?cursor=abc"), 400)


def test_the_search_finds_words_in_every_order(client: FlaskClient) -> None:
    for name in ("Red cup", "Red plate", "Blue cup"):
        priced(client, name, 10)

    assert names(get(client, "/?q=red")) == ["Red cup", "Red plate"]
    assert names(get(client, "/?q=cup&sort=price")) == ["Red cup", "Blue cup"]
    assert "Nothing found" in get(client, "/?q=green")


def test_the_filters_keep_what_they_say(client: FlaskClient, sessions: Sessions) -> None:
    axe, bell, cup = (priced(client, name, 10) for name in ("Axe", "Bell", "Cup"))
    for each, age_s in ((axe, 5), (bell, 500), (cup, 5)):
        set_refreshed(sessions, each["product_id"], age_s)
    set_history(sessions, axe["product_id"], "12,10", -166, is_lowest=True)
    client.patch(offer_url(cup), json={"items_in_stock": 0})

    assert names(get(client, "/?in_stock=1")) == ["Axe", "Bell"]
    assert names(get(client, "/?stale=1")) == ["Bell"]
    assert names(get(client, "/?at_low=1")) == ["Axe"]
    assert names(get(client, "/?at_low=1&stale=1")) == []


def test_a_price_above_the_low_of_today_is_no_30_day_low(client: FlaskClient, sessions: Sessions) -> None:
    """As the filter and the product's page say it."""
    for name, low in (("Axe", 10), ("Bell", 9)):
        set_history(sessions, priced(client, name, 10)["product_id"], f"12,{low}", -166)
    lowest, risen = texts(get(client, "/"), "tbody tr")

    assert "30-day low" in lowest
    assert "30-day low" not in risen


def test_old_prices_say_so_and_stay(client: FlaskClient, sessions: Sessions) -> None:
    set_refreshed(sessions, priced(client, "Axe", 1_234)["product_id"], 500)
    set_refreshed(sessions, priced(client, "Bell", 20)["product_id"], 5)
    html = get(client, "/")
    old, fresh = texts(html, "tbody tr")

    assert "1 of these 2 products has old prices" in html
    assert "not refreshed for 90 s count as old" in html.replace("\u00a0", " ")
    assert "1,234" in old
    assert "old" in old.split()
    assert "8 min ago" in old.replace("\u00a0", " ")
    assert "old" not in fresh.split()


def test_a_new_product_is_pending_and_not_old(client: FlaskClient, product: Json) -> None:
    html = get(client, "/")

    assert "pending" in texts(html, "tbody tr")[0]
    assert "old prices." not in html


def test_the_change_is_told_in_words_and_drawn(client: FlaskClient, sessions: Sessions) -> None:
    axe, bell = priced(client, "Axe", 90), priced(client, "Bell", 110)
    for offer in (axe, bell):
        set_history(sessions, offer["product_id"], "100,95", -100)
    html = get(client, "/")

    assert "▼ 10\u00a0% cheaper" in texts(html, "tbody tr")[0]
    assert "▲ 10\u00a0% dearer" in texts(html, "tbody tr")[1]
    assert html.count('<svg class="spark"') == 2


def test_a_list_takes_two_statements_however_long_it_is(
    client: FlaskClient, guarded: Callable[..., FlaskClient]
) -> None:
    """Administrators are told of disabled channels, too."""
    for number in range(30):
        priced(client, f"Cup {number}", 100)
    reader = guarded("write")
    with servers.statements() as sent:
        get(reader, "/")

    assert len([each for each in sent if each.startswith("SELECT")]) == 2


def test_names_are_text_and_no_markup(client: FlaskClient) -> None:
    factories.posted_product(client, name="<script>alert(1)</script>")

    assert "<script>alert" not in get(client, "/")


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "1,234"), ("cs", "1\u202f234"), ("de-AT,en;q=0.5", "1.234"), ("xx", "1,234")],
)
def test_numbers_are_written_in_the_readers_language(client: FlaskClient, language: str, text: str) -> None:
    priced(client, "Axe", 1_234)

    assert text in get(client, "/", {"Accept-Language": language})


def test_the_part_that_changes_has_a_tag_that_ages_leave_alone(
    client: FlaskClient, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_refreshed(sessions, priced(client, "Axe", 1_234)["product_id"], 5)
    part = client.get("/", headers={"X-Page-Part": "live"})
    later = utc_now() + timedelta(seconds=20)
    monkeypatch.setattr("productator.web.formats.utc_now", lambda: later)
    again = client.get("/", headers={"X-Page-Part": "live", "If-None-Match": part.headers["ETag"]})

    assert "<html" not in part.text
    assert "1,234" in part.text
    assert again.status_code == 304
