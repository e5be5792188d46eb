"""Rules about stale and failing products, and about the service."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import watching
from productator.models import AlertState, Event, Refresh, RefresherHeartbeat
from productator.operation import heartbeats
from productator.operation.heartbeats import Counted, Vitals
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


def written_state(world: World, product: int) -> tuple[datetime, bool]:
    with world.sessions() as session:
        state = session.scalars(select(AlertState).where(AlertState.product_id == product)).one()
        return state.seen_at, state.is_fired


def test_one_product_that_is_stale_is_told_once(world: World) -> None:
    stale, fresh = world.product("Mill"), world.product("Pot")
    world.rule("stale")
    go_on(world, 10, refreshed=(fresh,))

    assert types(world) == ["product.stale"]
    go_on(world, 10, refreshed=(stale, fresh))
    assert types(world) == ["product.stale"]


def test_a_product_that_has_recovered_is_written_no_more(world: World) -> None:
    stale, fresh = world.product("Mill"), world.product("Pot")
    world.rule("stale")
    go_on(world, 10, refreshed=(fresh,))
    go_on(world, 3, refreshed=(stale, fresh))
    recovered = written_state(world, stale)
    go_on(world, 10, refreshed=(stale, fresh))

    assert written_state(world, stale) == recovered
    go_on(world, 10, refreshed=(fresh,))
    assert written_state(world, stale) != recovered


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


def test_the_service_is_down_as_soon_as_the_refreshers_say_so(world: World) -> None:
    world.product()
    world.rule("service")
    outage(world, up=1, down=2)
    assert types(world) == ["service.down"]

    outage(world, up=1, down=0)
    assert types(world) == ["service.down", "service.up"]


def test_the_service_is_up_while_a_refresher_gets_answers_though_nothing_is_fresh(world: World) -> None:
    world.product()
    world.rule("service")
    for _ in range(10):
        beat(world, "a", down_since=world.now)
        beat(world, "b")
        go_on(world, 1, refreshed=())

    assert types(world) == []


def test_what_a_refresher_said_before_it_ended_counts_no_more(world: World) -> None:
    product = world.product()
    world.rule("service")
    beat(world, "ended", down_since=world.now)
    world.now += 2 * heartbeats.ALIVE_FOR
    for _ in range(5):
        beat(world, "living")
        go_on(world, 1, refreshed=(product,))

    assert types(world) == []


def test_a_second_outage_on_the_same_day_is_told_at_once(world: World) -> None:
    world.product()
    world.rule("service")
    outage(world, up=2, down=3)
    outage(world, up=2, down=3)

    assert types(world) == ["service.down", "service.up", "service.down"]


def test_a_time_in_which_nothing_of_ours_ran_is_no_outage(world: World) -> None:
    products = tuple(world.product(name) for name in ("Mill", "Pot", "Cup"))
    world.rule("service")
    go_on(world, 3, refreshed=products)
    world.now += LONG
    # The notifier is the first to start.
    world.looks()
    beat(world)
    go_on(world, 5, refreshed=products)

    assert types(world) == []


def test_no_product_is_stale_because_nothing_of_ours_ran(world: World) -> None:
    products = tuple(world.product(name) for name in ("Mill", "Pot", "Cup"))
    world.rule("stale")
    go_on(world, 3, refreshed=products)
    world.now += LONG
    # The refresher is the first to start, and has not come to all products yet.
    beat(world)
    go_on(world, 1, refreshed=products[:1])
    go_on(world, 5, refreshed=products)

    assert types(world) == []


def test_an_outage_that_goes_on_when_the_notifier_comes_back_is_told(world: World) -> None:
    product = world.product()
    world.rule("service")
    go_on(world, 3, refreshed=(product,))
    world.now += LONG
    go_on(world, 3, refreshed=())

    assert types(world) == ["service.down"]


def outage(world: World, *, up: int, down: int) -> None:
    """So many periods with answers, and then so many without."""
    for _ in range(up):
        beat(world)
        go_on(world, 1, refreshed=())
    since = world.now
    for _ in range(down):
        beat(world, down_since=since)
        go_on(world, 1, refreshed=())


def beat(world: World, name: str = "one", *, down_since: datetime | None = None) -> None:
    vitals = Vitals(name, "1", world.now, down_since, None, 0.0)
    with world.sessions.begin() as session:
        heartbeats.beat(session, vitals, Counted(), now=world.now)
        # By the clock of the story, not by the server's.
        mine = update(RefresherHeartbeat).where(RefresherHeartbeat.name == name)
        session.execute(mine.values(seen_at=world.now))
