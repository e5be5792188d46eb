"""Rules fire when the plain model says, and the sentences of the documents hold one by one."""

import os
import random
from itertools import pairwise

import pytest

from productator.alerts.firing import Firing, Kind, Observed, Terms, advance, start
from productator.prices.segments import SECOND
from tests.unit.alerts.plain_model import PlainFiring, PlainRule, firings

HISTORIES = int(os.environ.get("TESTS_RANDOM_HISTORIES", "60"))
KINDS = [
    Kind.THRESHOLD,
    Kind.DROP,
    Kind.RISE,
    Kind.NEW_LOW,
    Kind.BACK_IN_STOCK,
    Kind.OUT_OF_STOCK,
]
Second = tuple[int | None, int | None]


@pytest.mark.parametrize("kind", KINDS)
def test_random_histories_fire_as_the_plain_model_says(kind: Kind) -> None:
    fired = 0
    for seed in range(HISTORIES):
        random_ = random.Random(f"{kind} {seed}")
        rule = _random_rule(kind, random_)
        seconds = _random_seconds(random_)
        expected = firings(rule, [price for price, _ in seconds], [past for _, past in seconds])
        found = _fired(rule, seconds, random_)
        assert found == expected, f"seed {seed}: {rule}"
        fired += len(expected)
    assert fired > HISTORIES / 10, "the histories make the rule fire too seldom to show anything"


def _random_rule(kind: Kind, random_: random.Random) -> PlainRule:
    return PlainRule(
        kind,
        price=random_.randint(80, 120),
        percent=random_.choice([1, 5, 7.7, 10, 28.3, 33]),
        confirm_s=random_.choice([0, 1, 60, 600]),
        cooldown_s=random_.choice([0, 100, 5_000]),
        rearm_percent=random_.choice([0, 2, 2.3, 10]),
    )


def _random_seconds(random_: random.Random) -> list[Second]:
    seconds: list[Second] = []
    for _ in range(random_.randint(1, 40)):
        price = None if random_.random() < 0.2 else random_.randint(70, 130)
        past = None if random_.random() < 0.1 else random_.randint(80, 120)
        seconds += [(price, past)] * random_.choice([1, 30, 59, 60, 61, 599, 600, 601, 900])
    return seconds


def _fired(rule: PlainRule, seconds: list[Second], random_: random.Random) -> list[PlainFiring]:
    """Feeds the history in observations, some of them in several parts as time goes by."""
    terms = Terms(
        rule.kind,
        price=rule.price,
        percent=rule.percent,
        confirm=rule.confirm_s * SECOND,
        cooldown=rule.cooldown_s * SECOND,
        rearm_percent=rule.rearm_percent,
    )
    observations = _observations(seconds)
    state = start(terms, observations[0])
    found: list[Firing] = []
    for seen in observations:
        cuts = sorted(random_.sample(range(seen.at, seen.until + 1), k=random_.randint(0, 2)))
        for until in [*cuts, seen.until]:
            state, firing = advance(terms, state, seen._replace(until=until))
            found += [firing] if firing else []
    return [PlainFiring(each.at // SECOND, each.since // SECOND, each.price) for each in found]


def _observations(seconds: list[Second]) -> list[Observed]:
    starts = [0]
    starts += [at for at, (before, now) in enumerate(pairwise(seconds), start=1) if before != now]
    return [
        Observed(at * SECOND, until * SECOND, *seconds[at]) for at, until in pairwise([*starts, len(seconds)])
    ]


@pytest.mark.parametrize(
    ("kind", "percent", "reached", "missed"),
    [
        (Kind.RISE, 28.3, 1_283, 1_282),
        (Kind.RISE, 0.1, 1_001, 1_000),
        (Kind.DROP, 28.3, 717, 718),
        (Kind.DROP, 0.1, 999, 1_000),
        (Kind.DROP, 32.9, 671, 672),
    ],
)
def test_a_percentage_is_exact(kind: Kind, percent: float, reached: int, missed: int) -> None:
    terms = Terms(kind, percent=percent)
    before = start(terms, Observed(0, SECOND, 1_000, 1_000))

    def fires_at(price: int) -> bool:
        return advance(terms, before, Observed(SECOND, 2 * SECOND, price, 1_000))[1] is not None

    assert fires_at(reached)
    assert not fires_at(missed)


def test_percentages_of_tenths_are_all_exact() -> None:
    for tenths in range(1, 1_000):
        for past in (1_000, 2_000, 5_000, 10_000):
            dearer = past + past * tenths // 1_000
            terms = Terms(Kind.RISE, percent=tenths / 10)
            before = start(terms, Observed(0, SECOND, past, past))
            assert advance(terms, before, Observed(SECOND, 2 * SECOND, dearer, past))[1], (tenths, past)


def test_a_price_of_zero_is_told_once() -> None:
    """It is 5 % below the price that was told, which is 0, too."""
    terms = Terms(Kind.THRESHOLD, price=10)
    state, found = start(terms, Observed(0, SECOND, 20)), []
    for at in range(1, 5):
        state, firing = advance(terms, state, Observed(at * SECOND, (at + 1) * SECOND, 0))
        found += [firing] if firing else []

    assert len(found) == 1


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.RISE, Kind.NEW_LOW])
def test_a_price_that_has_always_been_zero_is_no_news(kind: Kind) -> None:
    seen = Observed(0, SECOND, price=0, past_lowest=0)
    terms = Terms(kind, percent=10)

    assert advance(terms, start(terms, seen), seen)[1] is None
