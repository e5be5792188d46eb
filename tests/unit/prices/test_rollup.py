"""Points of hours and days say what the points of changes said."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productator.prices.rollup import RolledUp, StoredPoint, roll_up

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=each) for each in (1, 60, 3_600, 86_400))
END = MIDNIGHT + 4 * DAY
Prices = tuple[int, ...]
RollUp = Callable[[list[StoredPoint]], list[StoredPoint]]


def raw(after: timedelta, *prices: int) -> StoredPoint:
    """A point that starts so long after midnight; with offers in stock at these prices."""
    average = (2_000 * sum(prices) + len(prices)) // (2 * len(prices)) if prices else None
    count = len(prices)
    lowest, highest = (min(prices), max(prices)) if prices else (None, None)
    return StoredPoint(MIDNIGHT + after, 0, lowest, highest, average, count + 1, 10 * count)


def rolled(points: Sequence[StoredPoint], resolution: timedelta = HOUR) -> list[StoredPoint]:
    """The history of two days with all of its intervals rolled up."""
    return applied(points, roll_up(points, resolution, carried=None, ends_at=None))


def applied(points: Sequence[StoredPoint], change: RolledUp) -> list[StoredPoint]:
    kept = [each for each in points if not any(start <= each.starts_at < end for start, end in change.spans)]
    return sorted(kept + change.points)


def test_an_hour_of_three_points_becomes_one_and_what_it_ended_with() -> None:
    points = [raw(0 * MINUTE, 100, 200), raw(15 * MINUTE), raw(30 * MINUTE, 60)]

    mean, carried = rolled(points)

    # A quarter of the hour at 100 and 150, half of it at 60, a quarter without anything in stock.
    assert mean == StoredPoint(
        MIDNIGHT, 3_600, 60, 200, 90_000, 2, 10, 73_333, 3_600.0, 2_700.0, 2_000, 10_000, False
    )
    assert carried == raw(HOUR, 60)


def test_an_hour_of_two_points_stays_as_it_is() -> None:
    points = [raw(1 * MINUTE, 100), raw(15 * MINUTE, 50)]

    assert rolled(points) == points


def test_the_price_before_the_hours_first_change_counts() -> None:
    points = [raw(0 * MINUTE, 10), *(raw(HOUR + minute * MINUTE, 40) for minute in (30, 40, 50))]

    _, mean, _ = rolled(points)

    assert (mean.starts_at, mean.lowest_price, mean.average_price) == (MIDNIGHT + HOUR, 10, 25_000)
    assert mean.covered_s == 3_600.0


def test_an_hour_in_which_the_history_begins_is_covered_in_part() -> None:
    mean, _ = rolled([raw(30 * MINUTE, 10), raw(40 * MINUTE), raw(50 * MINUTE, 40)])

    assert (mean.starts_at, mean.covered_s, mean.in_stock_s) == (MIDNIGHT, 1_800.0, 1_200.0)


def test_an_hour_of_nothing_in_stock_has_no_prices() -> None:
    mean, _ = rolled([raw(minute * MINUTE)._replace(offers=minute) for minute in (0, 1, 2)])

    assert (mean.lowest_price, mean.average_price, mean.mean_lowest_price) == (None, None, None)
    assert mean.is_unbroken is None
    assert (mean.in_stock_s, mean.offers) == (0.0, 2)


def test_offers_and_items_are_means_over_the_time_that_is_known() -> None:
    counts = [(30, 10, 700), (40, 1, 100), (50, 4, 0)]
    points = [
        raw(minute * MINUTE)._replace(offers=many, items_in_stock=items) for minute, many, items in counts
    ]

    mean, _ = rolled(points)

    assert (mean.mean_offers, mean.mean_items_in_stock) == (5_000, 266_667)


def test_an_hour_knows_whether_its_lowest_price_held_without_a_break() -> None:
    hour, _ = rolled([raw(0 * MINUTE, 10), raw(20 * MINUTE, 10, 30), raw(40 * MINUTE, 10)])
    blip = timedelta(microseconds=1)
    other, _ = rolled([raw(0 * MINUTE, 10), raw(20 * MINUTE, 30), raw(20 * MINUTE + blip, 10)])

    assert (hour.mean_lowest_price, hour.is_unbroken) == (10_000, True)
    # Too short to show in the mean.
    assert (other.mean_lowest_price, other.is_unbroken) == (10_000, False)


@pytest.mark.parametrize(
    ("hours", "is_unbroken"),
    [
        ([True, True], True),
        ([True, False], False),
        ([False, True], False),
        ([True, None], True),
        ([None, True], False),
    ],
)
def test_a_day_is_unbroken_if_its_hours_are_for_as_long_as_there_is_stock(
    hours: list[bool | None], is_unbroken: bool
) -> None:
    """None: an hour without anything in stock."""
    found = [
        raw(number * HOUR, *([] if each is None else [10]))._replace(
            resolution_s=3_600,
            mean_lowest_price=None if each is None else 10_000,
            covered_s=3_600.0,
            in_stock_s=0.0 if each is None else 3_600.0,
            is_unbroken=each,
        )
        for number, each in enumerate(hours)
    ]

    day, _ = rolled([*found, raw(len(found) * HOUR)], DAY)

    assert day.is_unbroken is is_unbroken


def test_hours_that_follow_each_other_need_nothing_in_between() -> None:
    points = [raw(minute * MINUTE, minute + 1) for minute in range(0, 121, 20)]

    assert [(each.starts_at - MIDNIGHT, each.resolution_s) for each in rolled(points)] == [
        (0 * HOUR, 3_600),
        (1 * HOUR, 3_600),
        (2 * HOUR, 0),
    ]


def test_hours_become_days() -> None:
    hours = rolled([raw(minute * MINUTE, minute + 1) for minute in range(0, 1441, 20)])

    day, carried = rolled(hours, DAY)

    assert (day.lowest_price, day.highest_price) == (1, 1_421)
    assert (day.resolution_s, day.covered_s) == (86_400, 86_400)
    # The mean of 1, 21, ... 1421.
    assert (day.average_price, day.mean_lowest_price) == (711_000, 711_000)
    assert carried == raw(DAY, 1_441)


# --- random histories against a plain model

PRICES = st.lists(st.integers(0, 2**53 - 1), max_size=3).map(tuple)
HISTORIES = st.dictionaries(
    # Close together as well as far apart, and now and then at a border.
    st.integers(0, 2 * 86_400)
    | st.integers(0, 3 * 60).map(lambda minutes: minutes * 60)
    | st.integers(0, 7_000),
    PRICES,
    min_size=1,
    max_size=60,
).map(lambda found: [raw(second * SECOND, *found[second]) for second in sorted(found)])


def both(points: Sequence[StoredPoint]) -> list[StoredPoint]:
    return rolled(rolled(points), DAY)


def integral(
    points: Sequence[StoredPoint], start: datetime, end: datetime
) -> tuple[Fraction, Fraction, Fraction]:
    """Seconds in stock, and average and lowest price summed over them, of raw points in a time."""
    ends = [*(each.starts_at for each in points[1:]), END]
    known = [
        (each, Fraction((min(until, end) - max(each.starts_at, start)) // timedelta(microseconds=1), 10**6))
        for each, until in zip(points, ends, strict=True)
        if each.starts_at < end and until > start and each.lowest_price is not None
    ]
    return (
        sum((seconds for _, seconds in known), Fraction()),
        sum((seconds * (each.average_price or 0) for each, seconds in known), Fraction()),
        sum((seconds * (each.lowest_price or 0) * 1_000 for each, seconds in known), Fraction()),
    )


def holding(points: Sequence[StoredPoint], start: datetime, end: datetime) -> list[StoredPoint]:
    """Those that hold at some time in [start, end)."""
    ends = [*(each.starts_at for each in points[1:]), END]
    return [
        each
        for each, until in zip(points, ends, strict=True)
        if each.starts_at < end and until > max(start, each.starts_at)
    ]


@pytest.mark.parametrize("roll", [rolled, both])
@settings(max_examples=150)
@given(points=HISTORIES)
def test_rolled_up_points_leave_no_gap_and_do_not_overlap(roll: RollUp, points: list[StoredPoint]) -> None:
    found = roll(points)
    first, *_ = found

    ends = [each.starts_at + each.resolution_s * SECOND for each in found]
    assert [end for end, each in zip(ends, found, strict=True) if each.resolution_s] == [
        following.starts_at for each, following in pairwise(found) if each.resolution_s
    ]
    assert sorted(set(found)) == found
    assert found[-1].resolution_s == 0
    assert (ends[0] - (first.covered_s or 0) * SECOND) == points[0].starts_at


@pytest.mark.parametrize("roll", [rolled, both])
@settings(max_examples=150)
@given(points=HISTORIES)
def test_each_rolled_up_point_says_what_the_raw_ones_said(roll: RollUp, points: list[StoredPoint]) -> None:
    for each in roll(points):
        start, end = each.starts_at, each.starts_at + each.resolution_s * SECOND
        parts = holding(points, start, max(end, start + timedelta(microseconds=1)))
        in_stock, average, lowest = integral(points, start, end)
        assert (each.offers, each.items_in_stock) == (parts[-1].offers, parts[-1].items_in_stock)
        lowest_prices = [part.lowest_price for part in parts if part.lowest_price is not None]
        highest_prices = [part.highest_price for part in parts if part.highest_price is not None]
        assert each.lowest_price == min(lowest_prices, default=None)
        assert each.highest_price == max(highest_prices, default=None)
        assert (each.in_stock_s or 0) == in_stock
        # Two roundings to a thousandth at most.
        assert abs((each.average_price or 0) * in_stock - average) <= in_stock
        assert abs((each.mean_lowest_price or 0) * in_stock - lowest) <= in_stock


@pytest.mark.parametrize("resolution", [HOUR, DAY])
@settings(max_examples=100)
@given(points=HISTORIES)
def test_rolling_up_again_changes_nothing(resolution: timedelta, points: list[StoredPoint]) -> None:
    once = rolled(points, resolution)

    assert rolled(once, resolution) == once


@settings(max_examples=100)
@given(points=HISTORIES)
def test_there_are_never_more_points_than_before(points: list[StoredPoint]) -> None:
    assert len(both(points)) <= len(rolled(points)) <= len(points)


@settings(max_examples=100)
@given(points=HISTORIES)
def test_day_by_day_comes_to_the_same_as_at_once(points: list[StoredPoint]) -> None:
    middle = MIDNIGHT + DAY
    first = [each for each in points if each.starts_at < middle]
    second = points[len(first) :]
    ends_at = second[0].starts_at if second else None
    one = applied(first, roll_up(first, HOUR, carried=None, ends_at=ends_at))
    later = sorted([each for each in one if each.starts_at >= middle] + second)
    one = [each for each in one if each.starts_at < middle]
    carried = one[-1] if one and not one[-1].resolution_s else None
    two = applied(later, roll_up(later, HOUR, carried=carried, ends_at=None))

    assert one + two == rolled(points)
