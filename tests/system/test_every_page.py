"""Every page in a real browser, in every state: valid, reachable for everybody, within its policy.

Served by uWSGI on SQLite: none of this depends on the database.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from lab import browsers, made_up_alerts, made_up_history, made_up_system
from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.system import System
from productator.access import api_tokens, installation_keys
from productator.alerts.mute_links import mute_path
from productator.database.engine import make_engine
from productator.domain import Scope, utc_now
from productator.models import AlertRule, Channel
from tests.system.browsing import check, complaints_of, examine, seen

Wrong = dict[str, dict[str, str]]
WIDTHS = (360, 1200)
ALERTS = (
    "/alerts",
    "/alerts/new",
    "/alerts/events",
    "/alerts/channels",
    "/alerts/channels/new",
    "/alerts/deliveries",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if browsers.chromium_path() is None:
        pytest.skip("These tests need Chromium: apt-get install chromium.")
    with sync_playwright() as playwright, browsers.chromium(playwright) as browser:
        yield browser


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(f"sqlite:///{tmp_path / 'pages.db'}", tmp_path, {"PRODUCTATOR_AUTH": "off"})
    assert system.productator("migrate").end() == 0
    yield system
    assert not system.stop_all()


@pytest.fixture
def engine(system: System) -> Iterator[Engine]:
    engine = make_engine(system.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def product(engine: Engine) -> str:
    """The path of a product whose prices have moved for a hundred days."""
    with Session(engine) as session:
        now = utc_now()
        product_id = made_up_history.add_product(
            session, "Espresso machine", price=10_000, chance=random.Random(7), now=now, drift=-0.3
        )
        made_up_history.keep_day_lows(session, now=now)
        made_up_system.add_refreshers(session, now=now)
        made_up_system.add_hours(session, now=now, products=1)
        session.commit()
    return f"/products/{product_id}"


@contextmanager
def strict(browser: Browser) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A window that keeps to the policy, and its complaints."""
    context = browser.new_context()
    yield context, complaints_of(context)
    context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window that lets Axe in."""
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


def examined(page: Page, browser: Browser, api: Api, *paths: str, status: int = 200) -> Wrong:
    """What is wrong with which of the pages; nobody has signed in."""
    wrong = {path: examine(page, api.url(path), status=status) for path in paths}
    with strict(browser) as (context, complaints):
        other = context.new_page()
        for path in paths:
            other.goto(api.url(path))
            for width in WIDTHS:
                other.set_viewport_size({"width": width, "height": 800})
                if other.evaluate("document.documentElement.scrollWidth") > width:
                    wrong[path][f"{width} px"] = "It is wider than the window."
        if found := seen(complaints):
            wrong["policy and script"] = {"complaints": str(found)}
    return {path: each for path, each in wrong.items() if each}


def test_pages_of_an_empty_installation(system: System, browser: Browser, page: Page) -> None:
    paths = ("/", "/system", "/tokens", "/products/new", *ALERTS)

    assert examined(page, browser, system.api(), *paths) == {}


def test_pages_with_prices(system: System, browser: Browser, page: Page, product: str) -> None:
    of_product = [product + each for each in ("", "?range=all&past=1&lines=1", "/edit", "/delete")]
    paths = ("/", "/?q=none", "/?sort=change&in_stock=1", "/system", *of_product)
    of_alerts = (*ALERTS, f"/alerts/new?product_id={product.rpartition('/')[2]}")

    assert examined(page, browser, system.api(), *paths, *of_alerts) == {}


def test_pages_full_of_alerts(
    system: System, engine: Engine, browser: Browser, page: Page, product: str
) -> None:
    with Session(engine) as session:
        made_up_alerts.add(session, now=utc_now())
        rule_id = session.scalar(select(func.max(AlertRule.id)))
        channel_id = session.scalar(select(func.min(Channel.id)))
        session.commit()
    of_one = [f"/alerts/{rule_id}/edit", f"/alerts/{rule_id}/delete"]
    of_one += [f"/alerts/channels/{channel_id}/edit", f"/alerts/channels/{channel_id}/delete"]

    assert examined(page, browser, system.api(), "/", product, *ALERTS, *of_one) == {}


def test_pages_with_old_prices_while_the_service_is_down(
    system: System, engine: Engine, browser: Browser, page: Page, product: str
) -> None:
    with Session(engine) as session:
        now = utc_now()
        made_up_system.age(session, now=now, by=timedelta(minutes=4))
        made_up_system.add_refreshers(session, now=now, down_since=now - timedelta(minutes=4))
        session.commit()
    api = system.api()

    assert examined(page, browser, api, "/", "/?stale=1", product, "/system") == {}
    assert "The Offers service has been down for 4 min" in page.inner_text(".sentence")


def test_pages_of_errors(system: System, engine: Engine, browser: Browser, page: Page, product: str) -> None:
    api = system.api()
    wrong = examined(page, browser, api, "/nowhere", "/products/77", "/alerts/mute/1/0", status=404)
    wrong |= examined(page, browser, api, "/?cursor=x", status=400)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE products RENAME TO products_away")
    wrong |= examined(page, browser, api, "/", product, status=503)

    assert wrong == {}


def test_pages_that_ask_for_a_token(system: System, browser: Browser, page: Page) -> None:
    api = system.api(PRODUCTATOR_AUTH="all")
    wrong = examined(page, browser, api, "/login", "/tokens")
    page.fill("[name=token]", "wrong")
    with page.expect_response("**/login") as answer:
        page.click("main button")
    wrong["wrong token"] = check(page, answer.value.text())

    assert not any(wrong.values()), wrong


def test_pages_of_tokens(system: System, engine: Engine, browser: Browser, page: Page) -> None:
    with Session(engine) as session:
        now = utc_now()
        reader, secret = api_tokens.create(
            session, name="Reader", scopes=[Scope.READ], expires_at=now + timedelta(days=1), now=now
        )
        token_id = reader.id
        session.commit()
    api = system.api(PRODUCTATOR_AUTH="write")
    wrong = {}
    with strict(browser) as (context, complaints):
        for each in (page, context.new_page()):
            sign_in(each, api, ADMIN_TOKEN)
            each.goto(api.url("/tokens"))
            each.fill("[name=name]", "Price watch")
            with each.expect_response("**/tokens") as answer:
                each.get_by_role("button", name="Create token").click()
            html = answer.value.text()
        assert seen(complaints) == []
    page.wait_for_selector("#new-token")
    wrong["created"] = check(page, html)
    for path in ("/tokens", f"/tokens/{token_id}/revoke"):
        wrong[path] = examine(page, api.url(path))
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, api, secret)
    wrong["not for readers"] = examine(page, api.url("/tokens"), status=403)

    assert not any(wrong.values()), wrong


def sign_in(page: Page, api: Api, secret: str) -> None:
    page.goto(api.url("/login"))
    page.fill("[name=token]", secret)
    page.click("main button")
    page.wait_for_selector("text=Sign out")


def test_the_page_that_mutes_an_alert(system: System, engine: Engine, browser: Browser, page: Page) -> None:
    with Session(engine) as session:
        now = utc_now()
        rule = AlertRule(
            kind="threshold", price=100, cooldown_s=0, confirm_periods=0, rearm_percent=2, counts_from=now,
            created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(rule)
        session.flush()
        path = mute_path(
            rule.id, installation_keys.find_or_make(session.connection(), installation_keys.MUTE_LINKS)
        )
        session.commit()
    api = system.api()
    wrong = examined(page, browser, api, path)
    with page.expect_response("**/mute/**") as answer:
        page.click("button")
    wrong["muted"] = check(page, answer.value.text())

    assert not any(wrong.values()), wrong


def test_pages_of_problems(system: System, browser: Browser, page: Page) -> None:
    assert examined(page, browser, system.api(), "/problems", "/problems/not-found") == {}
