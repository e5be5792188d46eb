"""The replay by which the chaos run judges the notifier fires as the firing rules do."""

import os
import random
from itertools import accumulate, pairwise

import pytest

from lab.chaos.plain_firing import PlainFiring, PlainRule, Stretch, firings
from productator.alerts.firing import Kind, Observed, Terms, advance, start
from productator.prices.segments import SECOND

HISTORIES = int(os.environ.get("TESTS_RANDOM_HISTORIES", "300"))
KINDS = [Kind.THRESHOLD, Kind.DROP, Kind.RISE, Kind.BACK_IN_STOCK, Kind.OUT_OF_STOCK]
BEGINS = 100 * SECOND


def rule_of(
    kind: Kind,
    *,
    price: int = 100,
    percent: int = 10,
    confirm: int = 0,
    cooldown: int = 0,
    rearm_percent: int = 2,
) -> PlainRule:
    return PlainRule(1, kind, 1, price, percent, confirm, cooldown, rearm_percent, counts_from=BEGINS)


def history_of(*stretches: tuple[int, int | None]) -> list[Stretch]:
    """From seconds and prices."""
    times = list(accumulate((seconds * SECOND for seconds, _ in stretches), initial=0))
    return [
        Stretch(begin, end, price)
        for (begin, end), (_, price) in zip(pairwise(times), stretches, strict=True)
    ]


def test_a_threshold_is_told_when_it_is_crossed_and_held() -> None:
    rule = rule_of(Kind.THRESHOLD, confirm=60 * SECOND)
    history = history_of((200, 120), (59, 90), (50, 120), (60, 95))

    assert firings(rule, history, BEGINS) == [PlainFiring(309 * SECOND, 95)]


def test_what_holds_when_the_rule_begins_is_not_told() -> None:
    assert firings(rule_of(Kind.THRESHOLD), history_of((300, 90), (100, 90)), BEGINS) == []


def test_a_drop_that_was_seen_for_no_time_yet_is_told() -> None:
    history = history_of((200, 100), (0, 80))

    assert firings(rule_of(Kind.DROP), history, BEGINS) == [PlainFiring(200 * SECOND, 80)]


def test_a_return_is_told_after_ten_minutes_out_of_stock() -> None:
    history = history_of((200, 90), (599, None), (100, 91), (600, None), (1, 92))

    assert firings(rule_of(Kind.BACK_IN_STOCK), history, BEGINS) == [PlainFiring(1_499 * SECOND, 92)]


@pytest.mark.parametrize("kind", KINDS)
def test_random_histories_that_arrive_in_pieces_fire_as_their_replay_says(kind: Kind) -> None:
    fired = 0
    for seed in range(HISTORIES):
        random_ = random.Random(f"{kind} {seed}")
        rule = rule_of(
            kind,
            price=random_.randint(80, 120),
            percent=random_.choice([1, 5, 10, 33]),
            confirm=random_.choice([0, 1, 60, 600]) * SECOND,
            cooldown=random_.choice([0, 100, 5_000]) * SECOND,
            rearm_percent=random_.choice([0, 2, 10]),
        )
        history = history_of(
            (50, random_.randint(70, 130)),
            (150, random_.randint(70, 130)),
            *(_random_stretch(random_) for _ in range(random_.randint(1, 40))),
        )
        expected = firings(rule, history, BEGINS)
        assert _fired(rule, history, random_) == expected, f"seed {seed}: {rule} {history}"
        fired += len(expected)
    assert fired > HISTORIES / 10, "the histories make the rule fire too seldom to show anything"


def _random_stretch(random_: random.Random) -> tuple[int, int | None]:
    seconds = random_.choice([1, 30, 59, 60, 61, 599, 600, 601, 900])
    return seconds, None if random_.random() < 0.2 else random_.choice([0, random_.randint(70, 130)])


def _fired(rule: PlainRule, history: list[Stretch], random_: random.Random) -> list[PlainFiring]:
    terms = Terms(
        Kind(rule.kind), rule.price or 0, rule.percent, rule.confirm, rule.cooldown, rule.rearm_percent
    )
    state, found = None, []
    for begin, end, price in history:
        if end <= BEGINS:
            continue
        at = max(begin, BEGINS)
        before = [each.price for each in history if each.start < begin and each.price is not None]
        seen = Observed(at, max(at, end), price, min(before, default=None))
        state = start(terms, seen) if state is None else state
        for until in sorted([random_.randint(at, seen.until), seen.until]):
            state, firing = advance(terms, state, seen._replace(until=until))
            found += [PlainFiring(firing.since, firing.price)] if firing else []
    return found
