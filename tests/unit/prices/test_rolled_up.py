"""Rolling history up changes no figure by more than the hours or days that it is rolled up to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from productator.prices.buckets import HistoryPoint, Interval, history_of
from productator.prices.changes import SCALE
from productator.prices.records import PointNumbers, segments_of
from productator.prices.rollup import StoredPoint, roll_up
from productator.prices.segments import LowestPrice, Segment, TimeRange, between, microseconds
from productator.prices.trend import PriceTrend, TrendFigures, joined, part_of, trend_of
from tests.narrowing import existing
from tests.unit.prices import plain_model
from tests.unit.prices.histories import comparable, exact, plain, random_histories
from tests.unit.prices.plain_model import Offers, PlainTrend, Timeline

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
TICK, HOUR, DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)
TICKS = 2 * DAY // TICK
UNIT = microseconds(BEGIN + TICK) - microseconds(BEGIN)
FIRST = microseconds(BEGIN) // UNIT
RANGE = TimeRange(FIRST * UNIT, (FIRST + TICKS) * UNIT)
INTERVALS: dict[timedelta, Interval] = {HOUR: "hour", DAY: "day"}
# Means are stored in thousandths, rounded once for each level.
ROUNDING = 0.002

each_level = pytest.mark.parametrize("levels", [(HOUR,), (HOUR, DAY), (DAY,)], ids=["hours", "both", "days"])
seeds = st.integers(0, 2**32)


def history(seed: int) -> list[StoredPoint]:
    """Some two days of few or many changes, which may begin at any time of the first one."""
    random = Random(seed)
    share = random.choice([0.05, 0.4, 0.9])
    ticks = [tick for tick in range(TICKS) if random.random() < share][random.randrange(20) :]
    return [_point(random, tick) for tick in ticks]


def _point(random: Random, tick: int) -> StoredPoint:
    at, offers = BEGIN + tick * TICK, random.randrange(4)
    if random.random() < 0.3:
        return StoredPoint(at, 0, None, None, None, offers, 0)
    lowest = random.choice([0, 1, 7, 100, 101, 2**53 - 1])
    highest = lowest + random.choice([0, 1, 50])
    return StoredPoint(at, 0, lowest, highest, random.randint(lowest * 1000, highest * 1000), offers, 1)


def rolled_up(history: list[StoredPoint], levels: tuple[timedelta, ...]) -> list[Segment]:
    for level in levels:
        change = roll_up(history, level, carried=None, ends_at=None)
        kept = [
            each for each in history if not any(start <= each.starts_at < end for start, end in change.spans)
        ]
        history = sorted(kept + change.points)
    return segments(history)


def segments(history: list[StoredPoint]) -> list[Segment]:
    return list(between(segments_of(list(map(numbers, history)), RANGE.end), RANGE))


def trend(found: list[Segment]) -> PriceTrend | None:
    return trend_of(LowestPrice(*each[:6]) for each in found)


def figures_of(found: list[Segment]) -> TrendFigures:
    return existing(existing(trend(found)).figures)


def points(found: list[Segment], interval: Interval) -> list[HistoryPoint]:
    return history_of(iter(found), RANGE.end, interval).points


def numbers(point: StoredPoint) -> PointNumbers:
    """As it is read back."""
    start = microseconds(point.starts_at)
    if point.resolution_s:
        times = (point.resolution_s, point.covered_s, point.in_stock_s)
        lowest = (point.lowest_price, point.mean_lowest_price, point.is_unbroken)
        means = (point.mean_offers, point.mean_items_in_stock)
        return (start, *times, *lowest, point.highest_price, point.average_price, *means)
    prices = (point.lowest_price, point.highest_price, point.average_price)
    return (start, *prices, point.offers, point.items_in_stock)


def line(history: list[StoredPoint]) -> Timeline:
    changes = [
        (
            microseconds(each.starts_at) // UNIT,
            Offers(
                None if each.lowest_price is None else (each.lowest_price, existing(each.highest_price), 0),
                each.offers,
                each.items_in_stock,
            ),
        )
        for each in history
    ]
    return plain_model.timeline(changes, FIRST, FIRST + TICKS, UNIT)


def levelled(found: Timeline, level: timedelta, choose: Callable[[list[int]], int]) -> Timeline:
    """Every price replaced by the least or the greatest of its hour or day."""
    prices: dict[int, list[int]] = {}
    for number, tick in found.known:
        prices.setdefault(number * TICK // level, []).extend([tick.prices[0]] if tick.prices else [])
    ticks = [
        tick and tick.prices and Offers((choose(prices[number * TICK // level]), 0, 0), 0, 0)
        for number, tick in enumerate(found.ticks, found.start)
    ]
    return Timeline(found.start, ticks, found.unit)


def monotone(found: PlainTrend | None) -> list[Fraction]:
    """Figures that rise when prices rise."""
    found = existing(found)
    prices = [price for price, _ in (found.first, found.last, found.highest)]
    return [*map(Fraction, prices), Fraction(found.median), found.mean]


def is_between(found: TrendFigures | None, raw: Timeline, level: timedelta) -> bool:
    """Whether its prices lie between those of the least and the greatest prices of each hour or day."""
    if found is None:
        return True
    least = plain_model.trend(levelled(raw, level, min))
    greatest = plain_model.trend(levelled(raw, level, max))
    figures = zip(monotone(least), monotone(plain(found)), monotone(greatest), strict=True)
    return all(low <= figure <= high + Fraction(ROUNDING) for low, figure, high in figures)


@each_level
def test_parts_that_were_rolled_up_have_the_trend_of_the_whole(levels: tuple[timedelta, ...]) -> None:
    @random_histories
    @given(seeds, st.sets(st.integers(0, 300), max_size=4))
    def holds(seed: int, cuts: set[int]) -> None:
        found = rolled_up(history(seed), levels)
        bounds = [0, *sorted(cut for cut in cuts if cut < len(found)), len(found)]
        parts = [
            part_of(LowestPrice(*each[:6]) for each in found[since:until])
            for since, until in pairwise(bounds)
        ]

        assert comparable(joined([part for part in parts if part])) == comparable(trend(found))

    holds()


@each_level
def test_as_much_time_is_known_and_in_stock(levels: tuple[timedelta, ...]) -> None:
    @random_histories
    @given(seeds)
    def holds(seed: int) -> None:
        before, after = segments(history(seed)), rolled_up(history(seed), levels)

        assert [each.start for each in after[:1]] == [each.start for each in before[:1]]
        assert [each.end for each in after[:-1]] == [each.start for each in after[1:]]
        assert sum(each.end - each.start for each in after) == sum(each.end - each.start for each in before)
        assert sum(each.in_stock for each in after) == sum(each.in_stock for each in before)

    holds()


@each_level
def test_points_of_that_length_keep_their_figures(levels: tuple[timedelta, ...]) -> None:
    @random_histories
    @given(seeds)
    def holds(seed: int) -> None:
        interval = INTERVALS[max(levels)]
        before = points(segments(history(seed)), interval)
        after = points(rolled_up(history(seed), levels), interval)

        assert [exact_figures(point) for point in after] == [exact_figures(point) for point in before]
        assert means(after) == pytest.approx(means(before), abs=ROUNDING, rel=1e-15)

    holds()


@each_level
def test_a_trend_lies_between_those_of_the_least_and_the_greatest_prices(
    levels: tuple[timedelta, ...],
) -> None:
    @random_histories
    @given(seeds.filter(lambda seed: plain_model.trend(line(history(seed))) is not None))
    def holds(seed: int) -> None:
        found = figures_of(rolled_up(history(seed), levels))

        assert is_between(found, line(history(seed)), max(levels))

    holds()


@each_level
def test_the_lowest_price_stays_exact_and_its_time_nearly(levels: tuple[timedelta, ...]) -> None:
    @random_histories
    @given(seeds.filter(lambda seed: plain_model.trend(line(history(seed))) is not None))
    def holds(seed: int) -> None:
        price, at = existing(plain_model.trend(line(history(seed)))).lowest
        found = figures_of(rolled_up(history(seed), levels)).lowest

        assert found.price == price
        assert abs(found.at - at) < max(levels) // timedelta(microseconds=1)

    holds()


@each_level
def test_since_when_the_last_price_holds_moves_by_less_than_that_length(
    levels: tuple[timedelta, ...],
) -> None:
    @random_histories
    @given(seeds.filter(lambda seed: plain_model.trend(line(history(seed))) is not None))
    @example(1162)  # ends with an hour that is in stock only at first
    def holds(seed: int) -> None:
        price, at = existing(plain_model.trend(line(history(seed)))).last
        found = figures_of(rolled_up(history(seed), levels)).last

        assert found.price != price or abs(found.at - at) < max(levels) // timedelta(microseconds=1)

    holds()


def test_an_hour_whose_mean_is_nearly_its_lowest_price_is_none_of_that_price() -> None:
    """A microsecond at another price, in an hour that ends as it began."""
    blip = [(BEGIN, 100), (BEGIN + TICK, 101), (BEGIN + TICK + timedelta(microseconds=1), 100)]
    history = [StoredPoint(at, 0, price, price, price * SCALE, 1, 1) for at, price in blip]

    assert figures_of(rolled_up(history, (HOUR,))).last == (100, microseconds(BEGIN + HOUR))


_in_stock = pytest.mark.parametrize(
    ("minutes_in_stock", "since"),
    [
        ([(0, 20)], BEGIN),
        ([(0, 20), (40, 60)], BEGIN + HOUR),
        ([(10, 20), (40, 50)], BEGIN + HOUR),
        ([(10, 50)], BEGIN + HOUR),
        ([], BEGIN),
    ],
)


@_in_stock
def test_a_price_has_held_from_before_an_hour_only_if_that_hour_is_in_stock_at_first(
    minutes_in_stock: list[tuple[int, int]], since: datetime
) -> None:
    before = StoredPoint(BEGIN, 0, 100, 100, 100 * SCALE, 1, 1)
    sold_out = StoredPoint(BEGIN, 0, None, None, None, 1, 0)
    hour = [
        (before if any(start <= minute < end for start, end in minutes_in_stock) else sold_out)._replace(
            starts_at=BEGIN + HOUR + timedelta(minutes=minute)
        )
        for minute in range(0, 60, 10)
    ]

    found = figures_of(rolled_up([before, *hour, sold_out._replace(starts_at=BEGIN + 2 * HOUR)], (HOUR,)))

    assert found.last == (100, microseconds(since))


def exact_figures(point: HistoryPoint) -> tuple[object, ...]:
    extremes = point.prices and point.prices[:2]
    return (point.start, point.end, extremes, exact(point.in_stock_share))


def means(found: list[HistoryPoint]) -> list[object]:
    """Those that are stored rounded."""
    of_stock = [exact(mean) for point in found for mean in (point.offers, point.items_in_stock)]
    return of_stock + [exact(mean) for point in found for mean in (point.prices or ())[2:]]
