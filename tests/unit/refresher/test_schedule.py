"""When a product is due next."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.leases.schedule import LONGEST_PAUSE, after_failure, next_slot, on_grid
from tests.refresher.builders import NOW, PERIOD

moments = st.timedeltas(timedelta(0), timedelta(days=3)).map(lambda delta: NOW + delta)
product_ids = st.integers(1, 10**12)
periods = st.timedeltas(timedelta(milliseconds=100), timedelta(days=1))


def after(failures: int, *, at: datetime = NOW, jitter: float = 1) -> datetime:
    return after_failure(7, failures=failures, now=at, period=PERIOD, jitter=lambda _low, _high: jitter)


@given(product_id=product_ids, now=moments, later=moments)
def test_a_product_keeps_its_rhythm_whenever_it_was_served(
    product_id: int, now: datetime, later: datetime
) -> None:
    slots = [next_slot(product_id, now=each, period=PERIOD) for each in (now, later)]

    assert (slots[0] - slots[1]) % PERIOD == timedelta(0)


@given(product_id=product_ids, now=moments, period=periods)
def test_the_next_slot_is_after_now_and_within_a_period(
    product_id: int, now: datetime, period: timedelta
) -> None:
    assert now < next_slot(product_id, now=now, period=period) <= now + period


@given(product_id=product_ids, now=moments)
def test_slots_lie_on_a_grid_so_that_products_can_be_written_together(product_id: int, now: datetime) -> None:
    due_at = next_slot(product_id, now=now, period=PERIOD)

    assert due_at == on_grid(due_at)


@pytest.mark.parametrize("first", [1, 5_001, 123_456_789])
def test_products_that_are_due_at_once_are_spread_over_the_period(first: int) -> None:
    slots = [next_slot(first + each, now=NOW, period=PERIOD) for each in range(10_000)]
    seconds = Counter((slot - NOW) // timedelta(seconds=1) for slot in slots)

    # An even share is 333 a second.
    assert max(seconds.values()) < 400


def test_neighbours_share_a_slot_so_that_an_import_is_written_together() -> None:
    slots = {next_slot(each, now=NOW, period=PERIOD) for each in range(1, 501)}

    assert len(slots) <= 500 / 16 + 1


def test_a_slot_that_is_now_is_over() -> None:
    slot = next_slot(7, now=NOW, period=PERIOD)

    assert next_slot(7, now=slot, period=PERIOD) == slot + PERIOD


def test_missed_slots_are_not_made_up_for() -> None:
    slot = next_slot(7, now=NOW, period=PERIOD)

    assert next_slot(7, now=slot + 2.5 * PERIOD, period=PERIOD) == slot + 3 * PERIOD


def test_a_first_failure_costs_one_slot_only() -> None:
    assert after(1) == next_slot(7, now=NOW, period=PERIOD)


@pytest.mark.parametrize(("failures", "periods"), [(2, 2), (3, 4), (4, 8), (5, 16)])
def test_pauses_double_with_each_failure_in_a_row(failures: int, periods: int) -> None:
    assert after(failures) == NOW + periods * PERIOD


@pytest.mark.parametrize(("jitter", "seconds"), [(0.5, 30), (0.75, 45), (1, 60)])
def test_the_jitter_shortens_a_pause(jitter: float, seconds: int) -> None:
    assert after(2, jitter=jitter) == NOW + timedelta(seconds=seconds)


def test_the_jitter_is_drawn_between_half_and_the_whole() -> None:
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    after_failure(7, failures=3, now=NOW, period=PERIOD, jitter=jitter)

    assert asked == [(0.5, 1)]


@given(failures=st.integers(2, 10**6), jitter=st.floats(0.5, 1))
def test_no_pause_is_longer_than_fifteen_minutes(failures: int, jitter: float) -> None:
    assert NOW < after(failures, jitter=jitter) <= NOW + LONGEST_PAUSE == NOW + timedelta(minutes=15)
