"""Rules about stale and failing products, and about the service."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import watching
from productator.models import Event, Refresh
from tests.alerts.world import PERIOD, World

LONG = timedelta(hours=1)


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    return World(sessions)


def go_on(world: World, periods: int, *, refreshed: tuple[int, ...]) -> None:
    """So many periods pass, in each of which the notifier looks and only these products are refreshed."""
    for _ in range(periods):
        world.now += PERIOD
        for product in refreshed:
            world.refreshed(product)
        world.looks()


def fail(world: World, product: int, failures: int) -> None:
    with world.sessions.begin() as session:
        session.execute(update(Refresh).where(Refresh.product_id == product).values(failures=failures))


def types(world: World) -> list[str]:
    return [type_ for type_, _ in world.events()]


def told_products(world: World) -> list[tuple[str, int | None]]:
    with world.sessions() as session:
        return [(each.type, each.product_id) for each in session.scalars(select(Event))]


def test_one_product_that_is_stale_is_told_once(world: World) -> None:
    stale, fresh = world.product("Mill"), world.product("Pot")
    world.rule("stale")
    go_on(world, 10, refreshed=(fresh,))

    assert types(world) == ["product.stale"]
    go_on(world, 10, refreshed=(stale, fresh))
    assert types(world) == ["product.stale"]


def test_an_outage_of_the_service_is_one_event_and_its_end_another(world: World) -> None:
    products = (world.product("Mill"), world.product("Pot"), world.product("Cup"))
    world.rule("service")
    world.rule("stale")
    go_on(world, 3, refreshed=products)
    go_on(world, 20, refreshed=())
    assert types(world) == ["service.down"]
    go_on(world, 5, refreshed=products)

    assert types(world) == ["service.down", "service.up"]


def test_products_that_wait_for_their_turn_after_an_outage_are_not_told(world: World) -> None:
    products = tuple(world.product(name) for name in ("Mill", "Pot", "Cup"))
    world.rule("stale", confirm_periods=0)
    go_on(world, 3, refreshed=products)
    go_on(world, 20, refreshed=())
    go_on(world, 1, refreshed=products[:1])
    go_on(world, 1, refreshed=products[:2])
    go_on(world, 10, refreshed=products)

    assert types(world) == []


def test_of_more_products_than_are_looked_at_at_a_time_each_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PRODUCTS_A_TIME", 1)
    fresh, *stale = [world.product(name) for name in ("Pot", "Mill", "Cup", "Jar")]
    world.rule("stale")
    go_on(world, 30, refreshed=(fresh,))

    assert types(world) == ["product.stale"] * len(stale)
    assert {product_id for _, product_id in told_products(world)} == set(stale)


def test_of_more_products_than_are_looked_at_at_a_time_none_is_news_that_failed_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_PRODUCTS_A_TIME", 1)
    for name in ("Pot", "Mill", "Cup"):
        fail(world, world.product(name), 9)
    world.rule("failing")
    go_on(world, 12, refreshed=())

    assert types(world) == []


def test_an_outage_that_was_there_before_the_rule_is_no_news(world: World) -> None:
    product = world.product()
    world.now += LONG
    world.rule("service")
    world.rule("stale", product_id=product)
    go_on(world, 10, refreshed=())
    go_on(world, 10, refreshed=(product,))

    assert types(world) == []


def test_a_product_that_fails_three_times_is_told_once(world: World) -> None:
    product, other = world.product("Mill"), world.product("Pot")
    world.rule("failing", q="mill")
    go_on(world, 2, refreshed=(product, other))
    fail(world, product, 2)
    go_on(world, 4, refreshed=(other,))
    assert types(world) == []

    fail(world, product, 3)
    fail(world, other, 7)
    go_on(world, 6, refreshed=())
    assert types(world) == ["product.failing"]


def test_products_that_failed_before_the_rule_was_made_are_no_news(world: World) -> None:
    product = world.product()
    fail(world, product, 9)
    world.rule("failing")
    go_on(world, 6, refreshed=())

    assert types(world) == []


def test_an_inactive_rule_is_not_watched(world: World) -> None:
    world.product()
    world.rule("service", active=False)
    go_on(world, 20, refreshed=())

    assert types(world) == []
