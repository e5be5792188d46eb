"""Every figure of random histories is what counting tick by tick gives."""

from itertools import pairwise

import pytest
from hypothesis import given

from productator.prices import summary
from productator.prices.buckets import HistoryPoint, Interval, count, history_of
from productator.prices.segments import TimeRange
from productator.prices.trend import TrendFigures, trend_of
from tests.unit.prices import plain_model
from tests.unit.prices.histories import DAY, HOUR, MINUTE, History, exact, histories, plain, random_histories
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
