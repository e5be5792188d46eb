"""Random histories, through recording, outbox and notifier: the events are those of the plain model."""

import json
import random
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts.firing import Kind
from productator.models import Event
from tests.alerts.world import PERIOD, SECOND, World
from tests.unit.alerts.plain_model import PlainRule, firings

Price = int | None
HISTORIES = 4
PERIOD_S = PERIOD // SECOND
KINDS = [Kind.THRESHOLD, Kind.DROP, Kind.RISE, Kind.BACK_IN_STOCK, Kind.OUT_OF_STOCK]


@pytest.mark.parametrize("kind", KINDS)
def test_random_histories_give_the_events_of_the_plain_model(
    sessions: sessionmaker[Session], kind: Kind
) -> None:
    fired = 0
    for seed in range(HISTORIES):
        random_ = random.Random(f"{kind} {seed}")
        fired += _compare(World(sessions), kind, random_)
    assert fired, "the histories make the rule fire too seldom to show anything"


def _compare(world: World, kind: Kind, random_: random.Random) -> int:
    changes: list[tuple[Price, int]] = [
        (
            None if number and random_.random() < 0.25 else random_.randint(70, 130),
            random_.choice([1, 29, 60, 61, 600, 900]),
        )
        for number in range(random_.randint(5, 25))
    ]
    rule = PlainRule(
        kind,
        price=random_.randint(80, 120),
        percent=random_.choice([1, 5, 20]),
        confirm_s=PERIOD_S * random_.choice([0, 1, 2]),
        cooldown_s=random_.choice([0, 100, 5_000]),
        rearm_percent=random_.choice([0, 2, 10]),
    )
    product = world.product(price=changes[0][0])
    world.passes(timedelta(hours=1))
    begins = world.now
    rule_id = world.rule(
        kind,
        product_id=product,
        price=rule.price if kind is Kind.THRESHOLD else None,
        percent=float(rule.percent) if kind in {Kind.DROP, Kind.RISE} else None,
        cooldown_s=rule.cooldown_s,
        confirm_periods=rule.confirm_s // PERIOD_S,
        rearm_percent=float(rule.rearm_percent),
    )
    prices: list[Price] = []
    past: list[Price] = []
    for price, seconds in changes:
        before = [each for each in (changes[0][0], *prices) if each is not None]
        if prices and price != prices[-1]:
            world.price(product, price)
        # The first price holds since before the rule was made, and is no change: it reaches no limit.
        past += [min(before, default=None)] * seconds
        prices += [price] * seconds
        world.passes(seconds * SECOND)
        if random_.random() < 0.5:
            world.looks()
    world.passes(timedelta(0))
    world.looks()
    with world.sessions() as session:
        found = session.execute(select(Event.occurred_at, Event.data).where(Event.rule_id == rule_id)).all()
    events = sorted(((at - begins) // SECOND, json.loads(data)["price"]) for at, data in found)
    expected = [(each.since, each.price) for each in firings(rule, prices, past)]
    assert events == expected, f"{rule} {changes}"
    return len(expected)
