"""The pages in a real browser, served by uWSGI: what people do, with and without script."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from lab import browsers, made_up_history
from lab.catalogue import Catalogue
from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.system import System
from lab.waiting import PATIENCE_S, eventually
from productator.domain import utc_now
from productator.models import Channel, Delivery, Product
from tests import servers
from tests.servers import SharedServer

# What a tab does that is looked at again.
LOOK_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if browsers.chromium_path() is None:
        pytest.skip("These tests need Chromium: apt-get install chromium.")
    with sync_playwright() as playwright, browsers.chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def running(server: SharedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests on a database: starting it takes longer than most of them."""
    url = servers.url_of(server.shared.engine)
    folder = tmp_path_factory.mktemp("browser")
    system = System(url, folder, {"PRODUCTATOR_AUTH": "off", "REFRESHER_PERIOD": "1"})
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


@pytest.fixture(scope="module")
def shared_api(running: System) -> Api:
    return running.api()


@pytest.fixture
def api(shared_api: Api, engine: Engine) -> Api:
    """Without any products."""
    return shared_api


@pytest.fixture
def watched(engine: Engine) -> int:
    """A product whose prices have moved for a hundred days."""
    with Session(engine) as session:
        now = utc_now()
        product_id = made_up_history.add_product(
            session, "Espresso machine", price=10_000, chance=random.Random(7), now=now, drift=-0.3
        )
        made_up_history.keep_day_lows(session, now=now)
        session.commit()
        return product_id


@pytest.fixture
def complaints() -> list[str]:
    """What browsers have complained about: violations of the policy, and errors of the script."""
    return []


@pytest.fixture
def open_context(browser: Browser, complaints: list[str]) -> Iterator[Any]:
    """Opens a window with these options."""
    contexts: list[BrowserContext] = []

    def open_one(**options: Any) -> BrowserContext:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_S * 1_000)
        contexts[-1].on("weberror", lambda error: complaints.append(str(error.error)))
        contexts[-1].on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        return contexts[-1]

    yield open_one
    for each in contexts:
        each.close()


@pytest.fixture
def page(open_context: Any) -> Page:
    opened: Page = open_context(viewport={"width": 1200, "height": 900}).new_page()
    return opened


def make_product(page: Page, api: Api, name: str) -> None:
    page.goto(api.url("/products/new"))
    page.fill("[name=name]", name)
    page.get_by_role("button", name="Add product").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def add_offer(page: Page, price: str) -> None:
    page.get_by_text("Add an own offer").click()
    form = page.locator("details.add form")
    form.locator("[name=price]").fill(price)
    form.locator("[name=items_in_stock]").fill("3")
    form.get_by_role("button", name="Add offer").click()


def work_through_a_product(page: Page, api: Api) -> None:
    make_product(page, api, "Hand mill")
    add_offer(page, "1299")
    expect(page.locator(".amount")).to_have_text("1,299")
    page.get_by_text("Edit offer").click()
    page.locator("tr.edit [name=price]").fill("1199")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".amount")).to_have_text("1,199")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.fill("[name=name]", "Hand mill Kono")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hand mill Kono")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("No products yet")).to_be_visible()


def test_a_product_is_made_priced_changed_and_deleted(page: Page, api: Api, complaints: list[str]) -> None:
    work_through_a_product(page, api)

    assert complaints == []


def test_all_of_it_works_without_script(open_context: Any, api: Api) -> None:
    work_through_a_product(open_context(java_script_enabled=False).new_page(), api)


def test_who_signs_in_with_a_token_may_write_until_signing_out(
    running: System, engine: Engine, page: Page, complaints: list[str]
) -> None:
    api = running.api(PRODUCTATOR_AUTH="write")
    page.goto(api.url("/"))
    expect(page.get_by_role("link", name="New product")).to_have_count(0)
    page.get_by_role("link", name="Sign in").first.click()
    page.locator("main input[name=token]").fill(ADMIN_TOKEN)
    page.locator("main button").click()
    make_product(page, api, "Hand mill")
    page.get_by_role("button", name="Sign out").click()
    page.goto(api.url("/products/new"))

    expect(page.locator("main input[name=token]")).to_be_visible()
    assert complaints == []


def test_what_a_form_has_done_is_not_told_again(page: Page, api: Api) -> None:
    make_product(page, api, "Hand mill")
    expect(page.get_by_text("The product was added")).to_be_visible()
    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("Hand mill")
    expect(page.get_by_text("The product was added")).to_have_count(0)


def test_two_people_editing_lose_nothing(page: Page, open_context: Any, api: Api) -> None:
    make_product(page, api, "Hand mill")
    page.get_by_role("link", name="Edit", exact=True).click()
    other = open_context().new_page()
    other.goto(page.url)
    other.fill("[name=name]", "Theirs")
    other.get_by_role("button", name="Save").click()
    page.fill("[name=name]", "Mine")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Somebody else has changed this product")
    expect(page.get_by_text("Theirs")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value("Mine")
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mine")


def test_a_refresh_brings_the_offers_of_the_service(
    running: System, api: Api, page: Page, engine: Engine
) -> None:
    running.simulator("--offers-exactly", "3")
    make_product(page, api, "Hand mill")
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_text("Fresh offers were asked for")).to_be_visible()
    refresher = running.refresher()
    catalogue = Catalogue(engine)

    def is_there() -> bool:
        """The offers are stored."""
        return any(catalogue.listings().values())

    eventually(is_there)
    # The page asks for itself as well, but only every 30 s.
    page.evaluate(LOOK_AGAIN)

    expect(page.locator(".amount:not(.none)")).to_be_visible()
    refresher.stop()


def test_the_search_lists_what_is_typed_and_keeps_it_in_the_address(page: Page, api: Api) -> None:
    for name in ("Red cup", "Blue cup", "Plate"):
        api.request("POST", "/products", json={"name": name})
    page.goto(api.url("/"))
    expect(page.locator("tbody tr")).to_have_count(3)
    page.fill("[name=q]", "cu")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("[data-found]")).to_have_text("2 products found.")
    page.get_by_label("In stock", exact=True).check()
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()

    assert page.url.endswith("/?q=cu&in_stock=1&sort=name")
    page.reload()
    expect(page.locator("[name=q]")).to_have_value("cu")


def test_pages_follow_each_other(page: Page, api: Api) -> None:
    for number in range(53):
        api.request("POST", "/products", json={"name": f"Cup {number:02}"})
    page.goto(api.url("/"))
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_the_chart_says_what_holds_under_the_pointer_and_hides_lines(
    page: Page, api: Api, watched: int, complaints: list[str]
) -> None:
    page.goto(api.url(f"/products/{watched}?range=90d"))
    plot = page.locator("svg.plot").first.bounding_box()
    assert plot
    seen = []
    for share in (0.1, 0.9):
        page.mouse.move(plot["x"] + share * plot["width"], plot["y"] + 100)
        seen.append(page.locator("output.value").text_content() or "")
    assert all(re.search(r": [0-9,]+ to [0-9,]+$", each) for each in seen)
    assert seen[0] != seen[1]
    page.get_by_label("up to the highest").uncheck()

    expect(page.locator("path.band")).to_be_hidden()
    assert complaints == []


def test_fresh_values_leave_focus_hidden_lines_and_scrolled_tables_alone(
    open_context: Any, api: Api, watched: int, engine: Engine
) -> None:
    page = open_context(viewport={"width": 360, "height": 700}, bypass_csp=True).new_page()
    page.goto(api.url(f"/products/{watched}?range=90d"))
    page.get_by_label("up to the highest").uncheck()
    page.add_style_tag(content=".wide > table { width: 60rem }")
    page.locator("#offers + .wide").evaluate("each => { each.scrollLeft = 50 }")
    page.get_by_role("link", name="7 days").focus()
    with Session(engine) as session:
        session.execute(update(Product).values(registered_at=None))
        session.commit()
    page.evaluate(LOOK_AGAIN)
    expect(page.get_by_text("Its registration with the Offers service is pending")).to_be_visible()

    expect(page.get_by_role("link", name="7 days")).to_be_focused()
    expect(page.locator("path.band")).to_be_hidden()
    expect(page.get_by_label("up to the highest")).not_to_be_checked()
    assert page.locator("#offers + .wide").evaluate("each => each.scrollLeft") == 50


def test_lines_of_offers_and_ranges_come_and_go_in_place(
    page: Page, api: Api, watched: int, complaints: list[str]
) -> None:
    page.goto(api.url(f"/products/{watched}"))
    page.evaluate("window.isSamePage = true")
    page.get_by_text("Show as a table").click()
    page.get_by_role("link", name="Show single offers, too").click()
    expect(page.locator(".chart .offer-2")).to_be_visible()
    expect(page.get_by_role("link", name="Without single offers")).to_be_focused()
    expect(page.get_by_text("Prices of single offers")).to_be_visible()
    page.locator("[data-toggle=offer-2]").uncheck()
    expect(page.locator(".chart .offer-2")).to_be_hidden()
    page.get_by_role("link", name="7 days").click()
    expect(page.locator(".ranges [aria-current]")).to_have_text("7 days")

    assert page.url.endswith("?range=7d&lines=1")
    assert page.evaluate("window.isSamePage")
    assert complaints == []


def test_an_error_page_gives_way_as_soon_as_the_database_is_back(
    page: Page, running: System, engine: Engine
) -> None:
    api = running.api()
    api.request("POST", "/products", json={"name": "Red cup"})
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE products RENAME TO products_away")
    try:
        page.goto(api.url("/"))
        expect(page.get_by_text("Trying again in 5 s")).to_be_visible()
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE products_away RENAME TO products")

    expect(page.get_by_text("Red cup")).to_be_visible(timeout=30_000)


def test_the_theme_is_the_systems_until_it_is_switched(open_context: Any, api: Api) -> None:
    context = open_context(color_scheme="dark")
    page = context.new_page()
    page.goto(api.url("/"))
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light").click()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()

    assert dark != light
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
    expect(page.get_by_role("button", name="Dark")).to_be_visible()


def test_times_are_the_readers_and_utc_is_in_the_title(open_context: Any, api: Api, watched: int) -> None:
    page = open_context(timezone_id="Pacific/Auckland", locale="en-GB").new_page()
    page.goto(api.url(f"/products/{watched}?range=7d"))
    page.get_by_text("Show as a table").click()
    time = page.locator("table.history time").first
    title, text = time.get_attribute("title"), time.text_content()

    assert title
    assert title.endswith(" UTC")
    assert text
    assert title[11:16] not in text


def test_a_page_that_is_open_keeps_its_state_while_the_server_is_away(
    page: Page, running: System, engine: Engine
) -> None:
    api = running.api()
    api.request("POST", "/products", json={"name": "Red cup"})
    page.goto(api.url("/"))
    api.stop()
    page.evaluate(LOOK_AGAIN)

    expect(page.get_by_text("this is the last state it showed")).to_be_visible()
    expect(page.get_by_text("Red cup")).to_be_visible()


def test_a_proxy_that_answers_404_for_a_while_does_not_end_a_page(page: Page, api: Api, watched: int) -> None:
    page.goto(api.url(f"/products/{watched}"))
    address = f"**/products/{watched}*"
    page.route(address, lambda route: route.fulfill(status=404, content_type="text/html", body="no route"))
    page.evaluate(LOOK_AGAIN)
    expect(page.get_by_text("this is the last state it showed")).to_be_visible()
    page.unroute(address)

    expect(page.get_by_text("this is the last state it showed")).to_be_hidden(timeout=30_000)


def test_an_open_page_of_a_deleted_product_says_so_and_asks_no_more(page: Page, api: Api) -> None:
    make_product(page, api, "Red cup")
    api.request("DELETE", "/products/" + page.url.partition("?")[0].rpartition("/")[2])
    page.evaluate(LOOK_AGAIN)
    expect(page.get_by_text("This product was deleted")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(LOOK_AGAIN)

    expect(page.get_by_text("Trying again")).to_have_count(0)
    assert asked == []


def work_through_alerts(page: Page, api: Api, product_id: int) -> None:
    page.goto(api.url("/alerts/channels"))
    page.get_by_role("link", name="Make the first one").click()
    page.fill("[name=name]", "Ops")
    page.fill("[name=address]", "https://93.184.216.34/alerts")
    page.get_by_role("button", name="Make the channel").click()
    expect(page.locator("main input[readonly]")).to_have_value(re.compile("^whsec_"))
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("A test to Ops is under way")).to_be_visible()
    page.goto(api.url(f"/products/{product_id}"))
    page.get_by_role("link", name="Tell me when").click()
    page.get_by_label("Ops").check()
    page.get_by_label("Price", exact=True).fill("1000000")
    page.get_by_role("button", name="Make the rule").click()
    expect(page.get_by_text("Tell Ops when Espresso machine is at or below 1,000,000.").first).to_be_visible()
    page.get_by_role("button", name="Tell me now").click()
    expect(page.get_by_text("It is told now.")).to_be_visible()
    page.get_by_role("button", name="Mute for a week").click()
    expect(page.get_by_text("muted", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile("Edit.*Tell Ops")).click()
    page.get_by_text("Not too often").click()
    page.get_by_label("Hours").fill("1")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The rule was changed.")).to_be_visible()
    page.goto(api.url("/?has_alert=1"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(api.url("/alerts/deliveries"))
    expect(page.locator("tbody tr")).to_have_count(2)


def test_a_channel_and_a_rule_are_made_told_and_muted(
    page: Page, api: Api, watched: int, complaints: list[str]
) -> None:
    work_through_alerts(page, api, watched)

    assert complaints == []


def test_alerts_work_without_script(open_context: Any, api: Api, watched: int) -> None:
    work_through_alerts(open_context(java_script_enabled=False).new_page(), api, watched)


def test_the_page_shows_the_fate_of_a_test_without_being_asked(
    page: Page, api: Api, engine: Engine, complaints: list[str]
) -> None:
    with Session(engine) as session:
        now = utc_now()
        session.add(
            Channel(name="Ops", kind="webhook", address="https://ops.example", created_at=now, updated_at=now)
        )
        session.commit()
    page.goto(api.url("/alerts/channels"))
    page.get_by_role("button", name="Test Ops").click()
    expect(page.get_by_text("A test to Ops is under way")).to_be_visible()
    with Session(engine) as session:
        session.execute(update(Delivery).values(status="delivered", delivered_at=utc_now()))
        session.commit()

    expect(page.get_by_text("The test arrived at Ops")).to_be_visible()
    assert complaints == []


def test_a_keyboard_reaches_the_content_first(page: Page, api: Api) -> None:
    page.goto(api.url("/"))
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_every_screenshot_of_the_readme_is_there() -> None:
    folder = Path(__file__).parents[2]
    named = re.findall(
        r"\((docs/screenshots/[a-z-]+\.png)\)", (folder / "README.md").read_text(encoding="utf-8")
    )

    assert named
    assert all((folder / each).stat().st_size for each in named)
