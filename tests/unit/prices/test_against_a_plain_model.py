"""Every figure of random histories is what counting tick by tick gives."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.prices import packing, summary
from productator.prices.buckets import HistoryPoint, Interval, Piece, count, history_of
from productator.prices.segments import TimeRange, between
from productator.prices.trend import TrendFigures, TrendPart, joined, part_of, trend_of
from tests.unit.prices import plain_model
from tests.unit.prices.histories import (
    DAY,
    HOUR,
    MINUTE,
    History,
    comparable,
    exact,
    histories,
    plain,
    random_histories,
)
from tests.unit.prices.plain_model import PlainTrend

each_interval = pytest.mark.parametrize(
    ("interval", "unit"),
    [
        ("minute", 20_000_000),
        ("minute", 1),
        ("hour", 15 * MINUTE),
        ("day", 8 * HOUR),
        ("week", DAY),
    ],
)


def flat(point: HistoryPoint) -> tuple[object, ...]:
    """The point as the plain model writes it."""
    prices = point.prices
    of_prices = (prices.lowest, prices.highest, prices.mean, prices.mean_lowest) if prices else (None,) * 4
    of_all = (point.offers, point.items_in_stock, point.in_stock_share)
    return (point.start, point.end, *map(exact, of_prices + of_all))


@random_histories
@given(histories(MINUTE))
def test_segments_cover_what_is_known_without_gap_or_overlap(history: History) -> None:
    segments = history.segments
    known = history.line.known

    assert all(one.end == other.start for one, other in pairwise(segments))
    assert all(segment.start < segment.end for segment in segments)
    assert [segment.start for segment in segments[:1]] == [tick * MINUTE for tick, _ in known[:1]]
    assert [segment.end for segment in segments[-1:]] == [history.range.end for _ in known[:1]]


@random_histories
@given(histories(MINUTE))
def test_what_is_read_of_lowest_prices_is_the_same(history: History) -> None:
    assert history.lowest_prices == [segment[:6] for segment in history.segments]


@each_interval
def test_points_are_what_counting_gives(interval: Interval, unit: int) -> None:
    @random_histories
    @given(histories(unit))
    def holds(history: History) -> None:
        segments = history.segments
        found = history_of(iter(segments), history.range.end, interval).points

        assert [flat(point) for point in found] == plain_model.points(history.line, interval)
        assert len(found) == sum(
            count(TimeRange(each.start, history.range.end), interval) for each in segments[:1]
        )

    holds()


@pytest.mark.parametrize(("interval", "unit"), [("hour", 15 * MINUTE), ("day", HOUR), ("week", 8 * HOUR)])
def test_points_of_whole_hours_may_stand_for_their_segments(interval: Interval, unit: int) -> None:
    @random_histories
    @given(histories(unit), st.data())
    def holds(history: History, data: st.DataObject) -> None:
        segments, (start, end) = history.segments, history.range
        since = -(-(segments[0].start if segments else end) // HOUR) * HOUR
        since += data.draw(st.integers(0, 30)) * HOUR
        until = since + data.draw(st.integers(0, 30)) * HOUR
        hours: list[Piece] = []
        if until <= end:
            within = between(segments, TimeRange(since, until))
            stored = packing.packed_hours(history_of(iter(within), until, "hour").points)
            hours += packing.unpacked_hours(stored)
        else:
            until = since
        before, after = TimeRange(start, since), TimeRange(until, end)
        pieces = [*between(segments, before), *hours, *between(segments, after)]
        found = history_of(iter(pieces), end, interval).points

        assert [flat(point) for point in found] == plain_model.points(history.line, interval)

    holds()


def stored(part: TrendPart | None) -> list[TrendPart]:
    """As it is read back."""
    return [packing.unpacked_trend(packing.packed_trend(part), packing.packed_times(part))] if part else []


@pytest.mark.parametrize(("unit", "ticks"), [(MINUTE, 50), (DAY, 200)])
def test_the_trend_of_parts_is_that_of_the_whole(unit: int, ticks: int) -> None:
    @random_histories
    @given(histories(unit, ticks=ticks), st.sets(st.integers(0, 2 * ticks), max_size=5))
    def holds(history: History, cuts: set[int]) -> None:
        start, end = history.range
        times = [
            start,
            *(each for cut in sorted(cuts) if start < (each := start + cut * unit // 2) < end),
            end,
        ]
        prices = history.lowest_prices
        parts = [
            part
            for since, until in pairwise(times)
            for part in stored(part_of(between(prices, TimeRange(since, until))))
        ]

        assert comparable(joined(parts)) == comparable(trend_of(prices))

    holds()


@random_histories
@given(histories(MINUTE))
def test_the_trend_is_what_counting_gives(history: History) -> None:
    trend = trend_of(history.lowest_prices)

    assert plain(trend.figures if trend else None) == plain_model.trend(history.line)


def test_the_plain_model_knows_every_figure_of_a_trend() -> None:
    assert set(TrendFigures.__slots__) < set(PlainTrend._fields)


@random_histories
@given(histories(MINUTE))
def test_the_share_in_stock_is_what_counting_gives(history: History) -> None:
    ticks = [tick.prices is not None for _, tick in history.line.known]
    trend = trend_of(history.lowest_prices)

    assert exact(trend.in_stock_share if trend else None) == plain_model.mean(ticks)


@random_histories
@given(histories(DAY, ticks=200))
def test_how_a_price_stands_is_what_counting_gives(history: History) -> None:
    now = history.range.end
    past = History(history.changes, (now - summary.LENGTH) // DAY, now // DAY, DAY)
    trend = trend_of(past.lowest_prices)
    current = summary.current_price(trend) if trend else None
    percentile = summary.percentile(trend, current.price) if trend and current else None
    reference_range = summary.reference_range(trend) if trend else None

    assert (current, exact(percentile), reference_range) == plain_model.standing(past.line, now)
