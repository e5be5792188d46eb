"""New times for records of a clock that was ahead."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from productator.prices.clock_jumps import TICK, Clocks, new_times

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AHEAD = timedelta(days=2_500)


def times(*minutes: int) -> list[datetime]:
    return [NOW + minute * MINUTE for minute in minutes]


def test_records_stay_as_far_apart_as_they_were() -> None:
    old = [each + AHEAD for each in times(-9, -3, 5)]

    assert list(new_times(old, after=NOW - 60 * MINUTE, now=NOW).values()) == times(-14, -8, 0)


def test_records_without_room_follow_each_other_at_once() -> None:
    old = [each + AHEAD for each in times(0, 5, 9)]
    after = NOW - MINUTE

    assert list(new_times(old, after=after, now=NOW).values()) == [after + TICK, after + 2 * TICK, NOW]


def test_records_follow_the_last_right_one_even_if_that_is_a_moment_ahead() -> None:
    after = NOW + timedelta(seconds=1)

    assert list(new_times([NOW + AHEAD], after=after, now=NOW).values()) == [after + TICK]


@given(
    st.lists(st.integers(3, 10_000), min_size=1, unique=True).map(sorted),
    st.none() | st.integers(-10_000, 2),
)
def test_the_order_stays(seconds: list[int], right: int | None) -> None:
    old = [NOW + timedelta(seconds=each) for each in seconds]
    after = None if right is None else NOW + timedelta(seconds=right)
    new = list(new_times(old, after=after, now=NOW).values())

    assert all(one < other for one, other in pairwise([*([after] if after else []), *new]))
    assert new[-1] <= max(NOW, after or NOW) + len(new) * TICK


def test_two_seconds_after_every_clock_the_future_begins() -> None:
    assert Clocks(NOW - MINUTE, NOW).future == NOW + timedelta(seconds=2)


def test_a_clock_that_was_reset_knows_no_future() -> None:
    reset = datetime(2000, 1, 1, tzinfo=UTC)

    assert Clocks(reset, reset).future > NOW + AHEAD
