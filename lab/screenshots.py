"""Takes the screenshots of all pages with Chromium: full, empty, stale, service down, narrow and dark.

    python -m lab.screenshots [docs/screenshots]

The pages run under uWSGI on an SQLite file. The prices are made up: every run shows the same ones.
"""

import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lab import browsers, made_up_alerts, made_up_history, made_up_system
from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.system import System
from lab.waiting import eventually
from productator.access import api_tokens
from productator.cli.demo import PRODUCTS
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import Scope, utc_now
from productator.models import Product, Refresh

_FOLDER = Path("docs/screenshots")
_PRICES = (18_990, 9_490, 4_290, 5_690, 2_790, 8_490, 6_190, 4_090, 11_490, 890, 24_900, 1_290)
_DRIFTS = (-0.16, 0.02, 0.09, -0.05, 0.0, -0.08, 0.05, -0.02, 0.12, 0.0, -0.03, 0.06)
_WIDTH, _HEIGHT = 1200, 800
# Nobody refreshes the offers: they must not become old while the screenshots are taken, only after an outage.
_PERIOD_S = 180
_OUTAGE = timedelta(minutes=14)
_PHONE = 360


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, browsers.chromium(playwright) as browser:
        with _installation(is_filled=True) as (system, engine):
            _of_full_lists(browser, system.api(), folder)
            _of_tokens(browser, system.api(PRODUCTATOR_AUTH="write"), engine, folder)
            _of_alerts(browser, system.api(), engine, folder)
            _of_an_outage(browser, system, engine, folder)
        with _installation(is_filled=False) as (system, _):
            api = system.api()
            _shoot(browser, api.url("/"), folder / "products-empty.png")
            _shoot(browser, api.url("/system"), folder / "system-empty.png")
        _of_a_lost_database(browser, folder)
        _of_an_error(browser, folder)


def _of_full_lists(browser: Browser, api: Api, folder: Path) -> None:
    products, product = api.url("/?sort=change"), api.url("/products/1?range=90d")
    _shoot(browser, products, folder / "products.png")
    _shoot(browser, product, folder / "product.png", whole=True)
    _shoot(browser, f"{product}&lines=1", folder / "product-offers.png")
    _shoot(browser, products, folder / "products-dark.png", dark=True)
    _shoot(browser, product, folder / "product-dark.png", dark=True)
    _shoot(browser, products, folder / "products-narrow.png", width=_PHONE)
    _shoot(browser, product, folder / "product-narrow.png", width=_PHONE, whole=True)
    _shoot(browser, api.url("/?q=tea"), folder / "products-none.png")
    _shoot(browser, api.url("/products/new"), folder / "product-new.png")
    _shoot(browser, api.url("/products/1/delete"), folder / "product-delete.png")
    _shoot(browser, api.url("/nowhere"), folder / "not-found.png")
    _shoot(browser, api.url("/system"), folder / "system.png", whole=True)
    _shoot(browser, api.url("/system"), folder / "system-narrow.png", width=_PHONE, whole=True)
    with _opened(browser, api.url("/products/2/edit")) as page:
        with _opened(browser, api.url("/products/2/edit")) as other:
            other.fill("[name=description]", "50 mm flat burrs, stepless, now in black")
            other.get_by_role("button", name="Save").click()
        page.fill("[name=name]", "Burr grinder Mignon Crono II")
        page.get_by_role("button", name="Save").click()
        page.screenshot(path=folder / "product-conflict.png")


def _of_tokens(browser: Browser, api: Api, engine: Engine, folder: Path) -> None:
    with Session(engine) as session:
        now = utc_now()
        for name, scope, days in (("Price watch", Scope.READ, None), ("Catalogue import", Scope.WRITE, 90)):
            expires_at = now + timedelta(days=days) if days else None
            api_tokens.create(session, name=name, scopes=[scope], expires_at=expires_at, now=now)
        session.commit()
    with _opened(browser, api.url("/login")) as page:
        page.screenshot(path=folder / "sign-in.png")
        page.fill("main [name=token]", ADMIN_TOKEN)
        page.click("main button")
        page.goto(api.url("/tokens"))
        page.screenshot(path=folder / "tokens.png")


def _of_an_outage(browser: Browser, system: System, engine: Engine, folder: Path) -> None:
    with Session(engine) as session:
        now = utc_now()
        made_up_system.age(session, now=now, by=_OUTAGE)
        made_up_system.add_refreshers(session, now=now, down_since=now - _OUTAGE)
        session.commit()
    api = system.api()
    _shoot(browser, api.url("/"), folder / "products-old.png")
    _shoot(browser, api.url("/products/3"), folder / "product-old.png")
    _shoot(browser, api.url("/system"), folder / "system-down.png", whole=True)


def _of_alerts(browser: Browser, api: Api, engine: Engine, folder: Path) -> None:
    """Without rules and channels first; then with some, one of the channels disabled."""
    _shoot(browser, api.url("/alerts"), folder / "alerts-empty.png")
    _shoot(browser, api.url("/alerts/channels"), folder / "alert-channels-empty.png")
    with Session(engine) as session:
        made_up_alerts.add(session, now=utc_now())
        session.commit()
    rules, channels = api.url("/alerts"), api.url("/alerts/channels")
    _shoot(browser, rules, folder / "alerts.png")
    _shoot(browser, rules, folder / "alerts-dark.png", dark=True)
    _shoot(browser, rules, folder / "alerts-narrow.png", width=_PHONE, whole=True)
    _shoot(browser, channels, folder / "alert-channels.png")
    _shoot(browser, channels, folder / "alert-channels-narrow.png", width=_PHONE, whole=True)
    _shoot(browser, api.url("/alerts/channels/new"), folder / "alert-channel-new.png", whole=True)
    _shoot(browser, api.url("/alerts/deliveries"), folder / "alert-deliveries.png")
    _shoot(browser, api.url("/alerts/events"), folder / "alert-events.png")
    _shoot(browser, api.url("/alerts/new?product_id=1"), folder / "alert-rule-new.png", whole=True)


def _of_a_lost_database(browser: Browser, folder: Path) -> None:
    """The page that was open stays, and says so."""
    with (
        _installation(is_filled=True) as (system, engine),
        _opened(browser, system.api().url("/?sort=change")) as page,
    ):
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE products RENAME TO products_away")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_selector("[data-trouble]:not([hidden])")
        page.screenshot(path=folder / "products-database-away.png")


def _of_an_error(browser: Browser, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        # Nothing listens there.
        system = System(
            "mysql+pymysql://nobody@127.0.0.1:9/none", Path(elsewhere), {"PRODUCTATOR_AUTH": "off"}
        )
        api = system.start_api()
        try:
            eventually(lambda: _is_up(api))
            _shoot(browser, api.url("/"), folder / "database-away.png")
        finally:
            system.stop_all()


def _is_up(api: Api) -> bool:
    """It lives, though it is not ready."""
    try:
        return requests.get(api.url("/livez"), timeout=5).ok
    except requests.RequestException:
        return False


@contextmanager
def _installation(*, is_filled: bool) -> Iterator[tuple[System, Engine]]:
    """Programs that allow everybody everything, and their database."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/productator.db"
        engine = make_engine(url)
        migrate.migrate(engine)
        if is_filled:
            with Session(engine) as session:
                fill(session, now=utc_now())
                session.commit()
        variables = {
            "PRODUCTATOR_AUTH": "off",
            "PRODUCTATOR_CURRENCY": "CZK",
            "REFRESHER_PERIOD": str(_PERIOD_S),
        }
        system = System(url, Path(folder), variables)
        try:
            yield system, engine
        finally:
            system.stop_all()
            engine.dispose()


def fill(session: Session, *, now: datetime) -> None:
    chance = random.Random(16)
    for new, price, drift in zip(PRODUCTS, _PRICES, _DRIFTS, strict=True):
        made_up_history.add_product(
            session,
            new.name,
            price=price,
            drift=drift,
            chance=chance,
            now=now,
            description=new.description,
            stock=0.2 if "bike" in new.name else 0.92,
        )
    pending = Product(name="Hand mill Kono", description="", remote_id="new", created_at=now, updated_at=now)
    session.add(pending)
    session.flush()
    session.add(Refresh(product_id=pending.id, due_at=now + timedelta(days=1)))
    made_up_history.keep_day_lows(session, now=now)
    made_up_system.add_refreshers(session, now=now)
    made_up_system.add_hours(session, now=now, products=len(PRODUCTS))


def _shoot(
    browser: Browser,
    url: str,
    path: Path,
    *,
    width: int = _WIDTH,
    dark: bool = False,
    whole: bool = False,
) -> None:
    with _opened(browser, url, width=width, dark=dark) as page:
        page.screenshot(path=path, full_page=whole)


@contextmanager
def _opened(browser: Browser, url: str, *, width: int = _WIDTH, dark: bool = False) -> Iterator[Page]:
    page = browser.new_page(
        viewport={"width": width, "height": _HEIGHT}, color_scheme="dark" if dark else "light"
    )
    page.goto(url)
    yield page
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER)
