"""However histories were rolled up, the figures that are read of them stay the same."""

import os
from collections import Counter
from datetime import timedelta
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import delete

from productator.domain import Retention
from productator.models import PricePoint, Product, RetentionProgress
from productator.prices import records
from productator.prices.figures import PriceFigures
from productator.prices.rollup import StoredPoint
from productator.prices.segments import Segment, TimeRange, between
from productator.prices.trend import PriceTrend, TrendFigures
from tests.refresher.rows import Sessions, stored_products
from tests.refresher.test_retention import do_all
from tests.unit.prices.histories import exact
from tests.unit.prices.plain_model import Timeline
from tests.unit.prices.test_rolled_up import (
    DAY,
    FIRST,
    HOUR,
    INTERVALS,
    ROUNDING,
    TICK,
    UNIT,
    each_level,
    exact_figures,
    history,
    is_between,
    line,
    means,
    points,
    seeds,
    segments,
    trend,
)

Levels = tuple[timedelta, ...]
RETENTIONS = {
    (HOUR,): Retention(0, 10, 0, 0),
    (HOUR, DAY): Retention(0, 10, 10, 0),
    (DAY,): Retention(0, 0, 10, 0),
}

# A thorough run takes 10,000.
at_random = settings(
    max_examples=int(os.environ.get("TESTS_RANDOM_HISTORIES", "10")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Found(NamedTuple):
    """All that is read of a range of whole hours or days, what was recorded in it, and the same by tick."""

    segments: list[Segment]
    trend: PriceTrend | None
    recorded: list[Segment]
    line: Timeline


def found_of(sessions: Sessions, seed: int, levels: Levels) -> Found:
    """Of one of three products whose two days were rolled up one after the other or at once."""
    random = Random(seed)
    histories = [history(random.randrange(2**32)) for _ in range(3)]
    with sessions.begin() as session:
        session.execute(delete(RetentionProgress))
        session.execute(delete(Product))
    kept = dict(zip(stored_products(sessions, len(histories)), histories, strict=True))
    with sessions.begin() as session:
        session.add_all(row(product_id, point) for product_id, some in kept.items() for point in some)
    for days in random.choice([(1, 2), (2,)]):
        do_all(sessions, RETENTIONS[levels], days_later=days + 10)
    return of_range(sessions, *random.choice([*kept.items()]), some_range(random, max(levels)))


def row(product_id: int, point: StoredPoint) -> PricePoint:
    return PricePoint(product_id=product_id, **point._asdict())


def some_range(random: Random, unit: timedelta) -> tuple[int, int]:
    """Ticks from and to a whole unit, with the first one after midnight."""
    a_day = DAY // unit
    start, end = random.randint(0, a_day), random.randint(a_day + 1, 2 * a_day)
    return FIRST + start * unit // TICK, FIRST + end * unit // TICK


def of_range(sessions: Sessions, product_id: int, kept: list[StoredPoint], ticks: tuple[int, int]) -> Found:
    first, end = ticks
    times = TimeRange(first * UNIT, end * UNIT)
    recorded = list(between(segments(kept), times))
    ticks_in_range = Timeline(first, line(kept).ticks[first - FIRST : end - FIRST], UNIT)
    with sessions() as session:
        connection = session.connection()
        read = list(records.segments(connection, product_id, times))
        read_trend = PriceFigures(connection, product_id).trend(times)
        return Found(read, read_trend, recorded, ticks_in_range)


@each_level
def test_points_of_whole_hours_or_days_stay_what_they_were(sessions: Sessions, levels: Levels) -> None:
    @at_random
    @given(seeds)
    def holds(seed: int) -> None:
        found = found_of(sessions, seed, levels)
        before, after = (points(of, INTERVALS[max(levels)]) for of in (found.recorded, found.segments))

        assert [exact_figures(point) for point in after] == [exact_figures(point) for point in before]
        assert means(after) == pytest.approx(means(before), abs=ROUNDING, rel=1e-15)

    holds()


@each_level
def test_time_has_neither_gap_nor_overlap(sessions: Sessions, levels: Levels) -> None:
    @at_random
    @given(seeds)
    def holds(seed: int) -> None:
        found = found_of(sessions, seed, levels)
        assert bounds(found.segments) == bounds(found.recorded)
        assert times(found.trend) == times(trend(found.recorded))

    holds()


def times(found: PriceTrend | None) -> tuple[int, int, int] | None:
    return (found.start, found.end, found.in_stock) if found else None


def bounds(found: list[Segment]) -> list[int]:
    """Where it begins and ends, and each time at which one segment does not begin where another ends."""
    starts, ends = [each.start for each in found], [each.end for each in found]
    return sorted((Counter(starts) - Counter(ends)) + (Counter(ends) - Counter(starts)))


@each_level
def test_the_trend_stays_what_it_was_but_for_what_hours_or_days_hide(
    sessions: Sessions, levels: Levels
) -> None:
    @at_random
    @given(seeds)
    def holds(seed: int) -> None:
        found = found_of(sessions, seed, levels)
        before, after = (each.figures if each else None for each in (trend(found.recorded), found.trend))

        assert (after and after.lowest.price) == (before and before.lowest.price)
        assert mean_of(after) == pytest.approx(mean_of(before), abs=ROUNDING, rel=1e-15)
        assert is_between(after, found.line, max(levels))

    holds()


def mean_of(found: TrendFigures | None) -> list[object]:
    return [exact(found.mean)] if found else []
