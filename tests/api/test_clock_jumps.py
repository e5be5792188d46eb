"""After a clock was ahead, figures and offers agree again, and no record is lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.models import OfferChange, PricePoint, ProductPrice
from productator.prices import clock_jumps, price_changes
from tests import factories
from tests.api.checks import offer_url, offers_url
from tests.clocks import all_clocks_ahead, our_clock_ahead, server_clock_ahead

Json = dict[str, Any]
Sessions = sessionmaker[Session]
SECONDS = timedelta(seconds=5)
each_jump = pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(days=7 * 365)])
on_servers = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)


def set_price(client: FlaskClient, offer: Json, price: int) -> None:
    assert client.patch(offer_url(offer), json={"price": price}).status_code == 200


def prices(client: FlaskClient, offer: Json) -> dict[str, int]:
    """The price as each call answers it."""
    product = f"/api/v1/products/{offer['product_id']}"
    return {
        "offers": client.get(offers_url({"id": offer["product_id"]})).get_json()["items"][0]["price"],
        "summary": client.get(f"{product}/price-summary").get_json()["current"]["price"],
        "trend": client.get(f"{product}/price-trend").get_json()["last"]["price"],
    }


def recorded(sessions: Sessions) -> list[tuple[datetime, int | None]]:
    query = select(OfferChange.changed_at, OfferChange.price).order_by(OfferChange.changed_at)
    points = select(PricePoint.starts_at, PricePoint.lowest_price).order_by(PricePoint.starts_at)
    with sessions() as session:
        changes = [(at, price) for at, price in session.execute(query)]
        assert [(at, price) for at, price in session.execute(points)] == changes
    return changes


def repair(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert clock_jumps.move_some_to_now(session, after=0) == 0


@each_jump
def test_figures_agree_with_offers_after_the_next_change(
    client: FlaskClient, sessions: Sessions, offer: Json, ahead: timedelta
) -> None:
    with all_clocks_ahead(ahead):
        set_price(client, offer, 90)
        set_price(client, offer, 95)
    set_price(client, offer, 80)

    assert set(prices(client, offer).values()) == {80}
    assert [price for _, price in recorded(sessions)] == [100, 90, 95, 80]
    assert recorded(sessions)[-1][0] <= utc_now() + SECONDS


@each_jump
def test_the_repair_makes_figures_agree_without_another_change(
    client: FlaskClient,
    sessions: Sessions,
    offer: Json,
    ahead: timedelta,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with all_clocks_ahead(ahead):
        set_price(client, offer, 90)
        set_price(client, offer, 95)
    repair(sessions)

    assert set(prices(client, offer).values()) == {95}
    assert [price for _, price in recorded(sessions)] == [100, 90, 95]
    (line,) = [each for each in caplog.records if each.name == clock_jumps.__name__]
    assert line.levelname == "WARNING"
    assert (vars(line)["products"], vars(line)["for_example"]) == (1, offer["product_id"])


def test_a_product_that_was_made_by_a_clock_that_was_ahead_has_figures_after_the_repair(
    client: FlaskClient, sessions: Sessions
) -> None:
    with all_clocks_ahead(timedelta(days=7 * 365)):
        offer = factories.posted_offer(client, factories.posted_product(client)["id"])
    repair(sessions)

    assert set(prices(client, offer).values()) == {100}


@each_jump
def test_after_the_repair_the_feed_of_all_products_shows_the_newest_change_first(
    client: FlaskClient, sessions: Sessions, ahead: timedelta
) -> None:
    jumped, other = (
        factories.posted_offer(client, factories.posted_product(client, name=name)["id"])
        for name in ("Jumped", "Other")
    )
    with all_clocks_ahead(ahead):
        set_price(client, jumped, 90)
        set_price(client, jumped, 95)
    repair(sessions)
    set_price(client, other, 80)
    with sessions() as session:
        last = session.get_one(ProductPrice, jumped["product_id"]).changed_at
        (newest,) = price_changes.latest_of_all(session.connection(), limit=1)
        changes = price_changes.latest(session.connection(), jumped["product_id"], limit=1)

    assert newest.name == "Other"
    assert [each.at for each in changes] == [last]


def test_after_the_repair_records_follow_as_usual(
    client: FlaskClient, sessions: Sessions, offer: Json
) -> None:
    with all_clocks_ahead(timedelta(hours=1)):
        set_price(client, offer, 90)
    repair(sessions)
    before = recorded(sessions)
    repair(sessions)
    set_price(client, offer, 80)

    assert recorded(sessions)[:-1] == before
    assert set(prices(client, offer).values()) == {80}


def test_what_was_rolled_up_ahead_of_time_is_moved_as_a_change(
    client: FlaskClient, sessions: Sessions, offer: Json
) -> None:
    hour = {"starts_at": utc_now() + timedelta(days=400), "resolution_s": 3_600}
    means = {"mean_lowest_price": 91_000, "covered_s": 3_600.0, "in_stock_s": 3_600.0}
    point = {
        "lowest_price": 90,
        "highest_price": 92,
        "average_price": 91_000,
        "offers": 1,
        "items_in_stock": 5,
    }
    with sessions.begin() as session:
        session.execute(insert(PricePoint), [{"product_id": offer["product_id"], **hour, **means, **point}])
    repair(sessions)
    with sessions() as session:
        moved = session.scalars(select(PricePoint).where(PricePoint.lowest_price == 90)).one()

    assert moved.resolution_s == 0
    assert moved.covered_s is moved.mean_lowest_price is None
    assert prices(client, offer)["summary"] == 90


def test_clocks_that_differ_by_less_than_two_seconds_move_nothing(
    client: FlaskClient, sessions: Sessions, offer: Json
) -> None:
    with our_clock_ahead(timedelta(seconds=1.5)):
        set_price(client, offer, 90)
    before = recorded(sessions)
    repair(sessions)

    assert recorded(sessions) == before


def test_a_clock_that_was_reset_moves_nothing(client: FlaskClient, sessions: Sessions, offer: Json) -> None:
    """It shows a time before there was this software."""
    before = recorded(sessions)
    with all_clocks_ahead(timedelta(days=-20 * 365)):
        set_price(client, offer, 90)
        repair(sessions)

    assert recorded(sessions)[:1] == before
    assert recorded(sessions)[1][0] > before[0][0]


@on_servers
@pytest.mark.parametrize("ahead", [timedelta(days=7 * 365), timedelta(hours=-1)])
def test_a_server_whose_clock_jumps_alone_keeps_figures_and_offers_together(
    client: FlaskClient, sessions: Sessions, offer: Json, ahead: timedelta
) -> None:
    with server_clock_ahead(ahead):
        set_price(client, offer, 90)
        repair(sessions)
    assert set(prices(client, offer).values()) == {90}

    set_price(client, offer, 80)
    assert set(prices(client, offer).values()) == {80}
    assert recorded(sessions)[-1][0] <= utc_now() + SECONDS


@on_servers
def test_while_one_of_two_clocks_says_that_the_time_has_come_nothing_is_moved(
    client: FlaskClient, sessions: Sessions, offer: Json
) -> None:
    """The other one may be behind: moving records cannot be undone."""
    before = recorded(sessions)
    with our_clock_ahead(timedelta(days=-3)):
        repair(sessions)

    assert recorded(sessions) == before
