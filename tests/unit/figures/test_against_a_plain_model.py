"""Every figure of random histories is what counting tick by tick gives."""

from itertools import pairwise

import pytest
from hypothesis import given

from productator.figures.points import Interval, PricePoint, points
from productator.figures.segments import between, in_stock_share
from productator.figures.summary import LOOK_BACK, summary
from productator.figures.trend import trend
from tests.unit.figures import plain_model
from tests.unit.figures.histories import DAY, HOUR, MINUTE, History, exact, histories, plain, random_histories

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


def flat(point: PricePoint) -> tuple[object, ...]:
    """The point as the plain model writes it."""
    prices = point.prices
    of_prices = (prices.lowest, prices.highest, prices.mean, prices.mean_lowest) if prices else (None,) * 4
    of_all = (point.offers, point.items_in_stock, point.in_stock_share)
    return (point.start, point.end, *map(exact, of_prices + of_all))


@random_histories
@given(histories(MINUTE))
def test_segments_cover_what_is_known_without_gap_or_overlap(history: History) -> None:
    segments = between(history.stored, *history.range)
    known = history.line.known

    assert all(one.end == other.start for one, other in pairwise(segments))
    assert all(segment.start < segment.end for segment in segments)
    assert [segment.start for segment in segments[:1]] == [tick * MINUTE for tick, _ in known[:1]]
    assert [segment.end for segment in segments[-1:]] == [history.range[1] for _ in known[:1]]


@each_interval
def test_points_are_what_counting_gives(interval: Interval, unit: int) -> None:
    @random_histories
    @given(histories(unit))
    def holds(history: History) -> None:
        found = points(between(history.stored, *history.range), interval)

        assert [flat(point) for point in found] == plain_model.points(history.line, interval)

    holds()


@random_histories
@given(histories(MINUTE))
def test_the_trend_is_what_counting_gives(history: History) -> None:
    found = trend(between(history.stored, *history.range))

    derived = ("change", "change_percent", "direction")
    assert plain_model.trend(history.line) == (
        found and {**plain(found), **{name: exact(getattr(found, name)) for name in derived}}
    )


@random_histories
@given(histories(MINUTE))
def test_the_share_in_stock_is_what_counting_gives(history: History) -> None:
    line = history.line
    ticks = [tick.prices is not None for _, tick in line.known]

    assert exact(in_stock_share(between(history.stored, *history.range))) == plain_model.mean(ticks)


@random_histories
@given(histories(DAY, ticks=200))
def test_the_summary_is_what_counting_gives(history: History) -> None:
    now = history.range[1]
    start = now // DAY - LOOK_BACK // DAY
    looked_back = History(history.changes, start, now // DAY, DAY)

    found = summary(between(history.stored, *looked_back.range), now)

    assert plain(found) == plain_model.summary(looked_back.line, now)
