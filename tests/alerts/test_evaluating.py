"""Rules about prices, from the change in the history to the event and its deliveries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import evaluating, rules
from productator.alerts.evaluating import Evaluator
from productator.catalogue import offers, products
from productator.domain import OwnOffer
from productator.models import ChangedProduct, Delivery, Event
from productator.prices import recording
from productator.prices.recording import Observation
from tests import factories
from tests.alerts.world import PERIOD, SECOND, World

LONG = timedelta(hours=1)


@pytest.fixture
def world(sessions: sessionmaker[Session]) -> World:
    return World(sessions)


def outbox(world: World) -> int:
    with world.sessions() as session:
        return session.scalar(select(func.count()).select_from(ChangedProduct)) or 0


def test_a_price_that_crosses_the_threshold_and_stays_is_told_once(world: World) -> None:
    product = world.product(price=5_490)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=4_990, channel_ids=[world.channel()])
    world.passes(LONG)

    world.price(product, 4_900)
    assert world.looks() == 0, "not confirmed yet"
    world.passes(2 * PERIOD)
    assert world.looks() == 1
    world.passes(LONG)
    assert world.looks() == 0

    assert world.events() == [("price.threshold", 4_900)]
    assert world.deliveries() == 1


def test_an_event_says_what_happened(world: World) -> None:
    product = world.product(price=5_490)
    world.passes(LONG)
    rule = world.rule("threshold", product_id=product, price=4_990, channel_ids=[world.channel()])
    world.passes(LONG)
    world.price(product, 4_900)
    at = world.now
    world.passes(2 * PERIOD)
    world.looks()

    with world.sessions() as session:
        event = session.scalars(select(Event)).one()
        assert json.loads(event.data) == {
            "product": {"id": product, "name": "Hand mill", "url": f"/products/{product}"},
            "price": 4_900,
            "price_before": 5_490,
            "limit": 4_990,
            "currency": None,
            "rule": {
                "id": rule,
                "kind": "threshold",
                "sentence": "Tell Ops when Hand mill is at or below 4,990.",
            },
            "changed_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        }
        assert event.occurred_at == at


def test_a_price_that_returns_before_it_is_confirmed_is_not_told(world: World) -> None:
    product = world.product(price=5_490)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=4_990)
    world.passes(LONG)
    world.price(product, 4_900)
    world.looks()
    world.passes(PERIOD)
    world.price(product, 5_490)
    world.passes(LONG)

    assert world.looks() == 0


def test_a_price_counts_as_confirmed_only_when_it_was_seen_again(world: World) -> None:
    product = world.product(price=5_490)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=4_990)
    world.passes(LONG)
    world.price(product, 4_900)
    world.looks()

    world.now += LONG
    assert world.looks() == 0
    world.refreshed(product)
    world.now += PERIOD
    assert world.looks() == 1


@pytest.mark.parametrize(
    ("kind", "fields", "own", "is_told"),
    [
        ("threshold", {"price": 60}, 50, True),
        ("drop", {"percent": 10}, 50, True),
        # The stale offers may have become cheaper meanwhile.
        ("rise", {"percent": 10}, 120, False),
    ],
)
def test_the_fall_of_an_own_offer_is_known_though_refreshes_fail(
    world: World, kind: str, fields: dict[str, Any], own: int, is_told: bool
) -> None:
    product = world.product(price=100)
    world.passes(LONG)
    world.rule(kind, product_id=product, **fields)
    world.passes(LONG)
    with world.sessions.begin() as session:
        offers.create(session, product, OwnOffer(own, 1), now=world.now)
    found = []
    for _ in range(4):
        world.now += PERIOD
        found.append(world.looks())

    assert found[0] == 0, "not confirmed yet"
    assert sum(found) == int(is_told)


def test_a_stale_price_that_an_own_offer_does_not_undercut_is_not_confirmed(world: World) -> None:
    product = world.product(price=100)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=60)
    world.passes(LONG)
    factories.external_offer(world.sessions, product, price=50)
    world.price(product, 50)
    with world.sessions.begin() as session:
        offers.create(session, product, OwnOffer(55, 1), now=world.now)
    world.now += LONG

    assert world.looks() == 0


def test_what_is_true_when_the_rule_is_made_is_no_news(world: World) -> None:
    product = world.product(price=4_000)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=4_990)
    world.rule("out_of_stock", product_id=world.product("Away", price=None))
    world.passes(LONG)
    world.price(product, 3_990)
    world.passes(LONG)

    assert world.looks() == 0


def test_what_a_product_begins_with_is_no_news(world: World) -> None:
    world.rule("threshold", price=4_990)
    world.rule("out_of_stock")
    world.product(price=4_000)
    world.product(price=None)
    world.passes(LONG)

    assert world.looks() == 0


def test_a_notifier_that_was_away_tells_what_it_missed(world: World) -> None:
    product = world.product(price=5_490)
    world.passes(LONG)
    world.rule("threshold", product_id=product, price=4_990)
    world.rule("out_of_stock", product_id=product)
    world.passes(LONG)
    world.price(product, 4_900)
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)
    world.price(product, 5_490)
    world.passes(LONG)

    world.looks()

    assert sorted(world.events(), key=str) == [("price.threshold", 4_900), ("stock.out", None)]


@pytest.mark.parametrize(("kind", "price", "told"), [("drop", 890, 1), ("drop", 910, 0), ("rise", 1_110, 1)])
def test_a_percentage_counts_from_the_lowest_price_of_30_days(
    world: World, kind: str, price: int, told: int
) -> None:
    product = world.product(price=1_000)
    world.passes(timedelta(days=31))
    world.rule(kind, product_id=product, percent=10)
    world.passes(LONG)
    world.price(product, price)
    world.passes(LONG)

    assert world.looks() == told


def test_a_rise_that_returns_from_out_of_stock_counts_from_its_return(world: World) -> None:
    """However late a notifier looks: the price is lower than before, and higher than the lowest one."""
    product = world.product(price=100)
    world.passes(LONG)
    world.rule("rise", product_id=product, percent=10)
    world.passes(LONG)
    for price in (130, None, 120):
        world.price(product, price)
        returned_at = world.now
        world.passes(PERIOD)
    world.price(product, 125)
    world.passes(LONG)
    world.looks()

    with world.sessions() as session:
        assert session.scalars(select(Event.occurred_at)).all() == [returned_at]


@pytest.mark.parametrize(("known", "told"), [(timedelta(days=15), 1), (timedelta(days=13), 0)])
def test_a_new_low_needs_fourteen_days(world: World, known: timedelta, told: int) -> None:
    product = world.product(price=1_000)
    world.price(product, 2_000)
    world.passes(known)
    world.rule("new_low", product_id=product, days=10)
    world.passes(LONG)
    world.price(product, 1_900)
    world.passes(LONG)

    assert world.looks() == told


def test_a_search_rule_is_about_the_products_that_the_search_finds(world: World) -> None:
    mill, pot = world.product("Hand mill", price=100), world.product("Teapot", price=100)
    world.passes(LONG)
    world.rule("threshold", q="MILL", price=50)
    world.passes(LONG)
    world.price(mill, 40)
    world.price(pot, 41)
    world.passes(LONG)
    world.looks()

    assert world.events() == [("price.threshold", 40)]


def test_what_happened_before_a_product_got_a_name_that_the_search_finds_is_no_news(world: World) -> None:
    product = world.product("Grinder", price=100)
    world.passes(LONG)
    world.rule("threshold", q="mill", price=60)
    world.passes(LONG)
    world.price(product, 50)
    world.passes(LONG)
    world.price(product, 100)
    world.passes(LONG)
    world.looks()
    with world.sessions.begin() as session:
        products.change(session, product, {"name": "Hand mill"}, now=world.now)
    world.passes(LONG)
    world.price(product, 99)
    world.passes(LONG)
    world.looks()
    assert world.events() == []

    world.price(product, 55)
    world.passes(LONG)
    world.looks()
    assert world.events() == [("price.threshold", 55)]


def test_a_muted_rule_writes_its_event_and_delivers_nothing(world: World) -> None:
    product = world.product()
    world.passes(LONG)
    rule = world.rule("out_of_stock", product_id=product, channel_ids=[world.channel()])
    with world.sessions.begin() as session:
        rules.mute(session, rule, until=world.now + timedelta(days=1), now=world.now)
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)

    assert (world.looks(), world.deliveries()) == (1, 0)


def test_a_rule_that_is_changed_begins_anew(world: World) -> None:
    product = world.product(price=100)
    world.passes(LONG)
    rule = world.rule("threshold", product_id=product, price=90)
    world.passes(LONG)
    world.price(product, 80)
    world.looks()
    with world.sessions.begin() as session:
        rules.patch(session, rule, {"price": 85}, now=world.now + SECOND)
    world.passes(LONG)

    assert world.looks() == 0, "it was true already when the rule came to ask for it"


def test_a_shorter_cooldown_is_obeyed_at_once(world: World) -> None:
    product = world.product(price=100)
    world.passes(LONG)
    rule = world.rule("threshold", product_id=product, price=60)
    world.passes(LONG)
    for price in (50, 100, 50):
        world.price(product, price)
        world.passes(LONG)
        world.looks()
    told = len(world.events())
    with world.sessions.begin() as session:
        rules.patch(session, rule, {"cooldown_s": 0}, now=world.now)

    assert (told, world.looks()) == (1, 1)


def test_fewer_periods_to_confirm_are_obeyed_at_once(world: World) -> None:
    product = world.product(price=100)
    world.passes(LONG)
    rule = world.rule("threshold", product_id=product, price=60, confirm_periods=1_000)
    world.passes(LONG)
    world.price(product, 50)
    world.passes(LONG)
    before = world.looks()
    with world.sessions.begin() as session:
        rules.patch(session, rule, {"confirm_periods": 2}, now=world.now)

    assert (before, world.looks()) == (0, 1)


def test_nothing_is_noted_where_no_rule_is(world: World) -> None:
    rule_less, inactive = world.product(), world.product()
    world.rule("out_of_stock", product_id=inactive, active=False)
    world.price(rule_less, 1_234)
    world.price(inactive, 1_234)

    assert outbox(world) == 0


def test_rules_that_no_price_makes_true_note_nothing(world: World) -> None:
    for kind in ("service", "stale", "failing"):
        world.rule(kind)
    product = world.product()
    world.price(product, 1_234)

    assert outbox(world) == 0


def test_the_note_is_rolled_back_with_the_change(world: World) -> None:
    product = world.product()
    world.rule("out_of_stock", product_id=product)

    with world.sessions() as session:
        gone = Observation(product, world.now + SECOND, world.offers[product], {})
        recording.record(session, [gone])
        noted = session.scalar(select(func.count()).select_from(ChangedProduct))
        session.rollback()

    assert (noted, outbox(world)) == (1, 0)


def test_what_a_killed_notifier_claimed_is_looked_at_after_its_lease(world: World) -> None:
    product = world.product()
    world.passes(LONG)
    world.rule("out_of_stock", product_id=product)
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)
    with world.sessions.begin() as session:
        assert list(evaluating.claim(session, "killed", now=world.now)) == [product]

    assert world.looks() == 0
    world.passes(evaluating.LEASE + SECOND)
    assert world.looks() == 1
    assert outbox(world) == 0


def test_what_was_not_looked_at_since_the_database_failed_is_given_back_at_once(world: World) -> None:
    product = world.product()
    world.passes(LONG)
    world.rule("out_of_stock", product_id=product)
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)
    evaluator = Evaluator(world.sessions, PERIOD)

    with reads_of("alert_states", fail=world.sessions.kw["bind"]), pytest.raises(DBAPIError):
        evaluator.run_once(world.now)

    assert evaluator.run_once(world.now) == (1, 1)


def test_an_evaluator_that_is_stopped_gives_back_what_it_has_not_looked_at(world: World) -> None:
    product = world.product()
    world.rule("out_of_stock", product_id=product)
    world.price(product, 100)
    evaluator = Evaluator(world.sessions, PERIOD)
    evaluator.stop()
    assert evaluator.run_once(world.now) == (0, 0)

    evaluator.give_back()

    with world.sessions.begin() as session:
        assert list(evaluating.claim(session, "another", now=world.now)) == [product]


@contextmanager
def reads_of(table: str, *, fail: Engine) -> Iterator[None]:
    """Within the block the database has no such table, which is an error that passes."""

    def rename(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> Any:
        is_read = statement.startswith("SELECT") and f"{table}.product_id IN" in statement
        return (statement.replace(table, f"{table}_away") if is_read else statement), parameters

    event.listen(fail, "before_cursor_execute", rename, retval=True)
    yield
    event.remove(fail, "before_cursor_execute", rename)


def test_looking_twice_at_the_same_change_tells_it_once(world: World) -> None:
    product = world.product()
    world.passes(LONG)
    world.rule("out_of_stock", product_id=product, channel_ids=[world.channel()])
    world.passes(LONG)
    world.price(product, None)
    world.passes(LONG)
    world.looks()
    with world.sessions.begin() as session:
        session.add(ChangedProduct(product_id=product))
    world.looks()

    with world.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Event)) == 1
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1


def test_a_deleted_product_is_dropped_from_the_outbox(world: World) -> None:
    with world.sessions.begin() as session:
        session.add(ChangedProduct(product_id=999))

    assert world.looks() == 0
    assert outbox(world) == 0


@pytest.mark.parametrize(
    ("kind", "before", "fields"),
    [
        ("rise", 1_000, {"percent": 10}),
        ("drop", 2_000, {"percent": 10}),
        ("new_low", 2_000, {"days": 90}),
    ],
)
def test_what_is_true_when_a_rule_is_made_is_said_and_is_no_news_at_the_next_change(
    world: World, kind: str, before: int, fields: dict[str, Any]
) -> None:
    product = world.product(price=before)
    world.passes(timedelta(days=20))
    world.price(product, 1_500)
    world.passes(LONG)
    rule = world.rule(kind, product_id=product, **fields)
    said = world.is_true(rule)
    world.passes(LONG)
    # Hardly another price: a further fall of 5 % would be news.
    world.price(product, 1_499)
    world.passes(LONG)

    assert said is True
    assert world.looks() == 0
    assert world.is_true(rule) is True


@pytest.mark.parametrize("about", ["product", "search"])
@pytest.mark.parametrize(
    ("kind", "fields", "prices"),
    [
        ("threshold", {"price": 900}, (890, 905)),
        ("drop", {"percent": 10}, (890, 905)),
        ("rise", {"percent": 10}, (1_110, 1_095)),
        ("new_low", {}, (890, 895)),
    ],
)
def test_a_rule_that_has_fired_says_whether_it_is_true_now(
    world: World, kind: str, fields: dict[str, Any], prices: tuple[int, int], about: str
) -> None:
    """It stays fired while the price is near the limit. Of a search nobody looks at the other products."""
    product = world.product("Hand mill", price=1_000)
    world.passes(timedelta(days=20))
    which = {"product_id": product} if about == "product" else {"q": "mill"}
    rule = world.rule(kind, **which, **fields)
    world.passes(LONG)
    said = []
    for price in prices:
        world.price(product, price)
        world.passes(LONG)
        world.looks()
        said.append(world.is_true(rule))

    assert len(world.events()) == 1
    assert said == [True, False if about == "product" else None]


@pytest.mark.parametrize(("kind", "price"), [("rise", 1_600), ("drop", 1_420)])
def test_what_was_true_when_a_rule_was_made_is_told_when_it_goes_further(
    world: World, kind: str, price: int
) -> None:
    product = world.product(price=1_000 if kind == "rise" else 2_000)
    world.passes(timedelta(days=20))
    world.price(product, 1_500)
    world.passes(LONG)
    world.rule(kind, product_id=product, percent=10)
    world.passes(LONG)
    world.price(product, price)
    world.passes(LONG)

    assert world.looks() == 1


def test_a_rise_that_is_not_reached_when_the_rule_is_made_is_not_true(world: World) -> None:
    product = world.product(price=1_000)
    world.passes(LONG)

    assert world.is_true(world.rule("rise", product_id=product, percent=10)) is False
