"""When a product is due next."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.schedule import LONGEST_PAUSE, after_failure, next_slot, on_grid
from tests.refresher.builders import NOW, PERIOD

lateness = st.timedeltas(timedelta(0), timedelta(days=3))
slots = st.integers(0, 10_000).map(lambda tenths: NOW + tenths * timedelta(milliseconds=100))
moments = st.timedeltas(timedelta(0), timedelta(days=3)).map(lambda delta: NOW + delta)


def after(failures: int, *, at: datetime = NOW, jitter: float = 1) -> datetime:
    return after_failure(NOW, failures=failures, now=at, period=PERIOD, jitter=lambda _low, _high: jitter)


@given(slot=slots, late=lateness)
def test_a_product_keeps_its_rhythm_however_late_it_was_served(slot: datetime, late: timedelta) -> None:
    assert (next_slot(slot, now=slot + late, period=PERIOD) - slot) % PERIOD == timedelta(0)


@given(slot=moments, late=lateness)
def test_the_next_slot_is_after_now_and_within_a_period(slot: datetime, late: timedelta) -> None:
    now = slot + late

    assert now < next_slot(slot, now=now, period=PERIOD) <= now + PERIOD


@given(slot=moments, late=lateness)
def test_slots_lie_on_a_grid_so_that_products_can_be_written_together(
    slot: datetime, late: timedelta
) -> None:
    due_at = next_slot(slot, now=slot + late, period=PERIOD)

    assert due_at == on_grid(due_at)


def test_a_product_served_in_time_is_due_a_period_after_its_slot() -> None:
    assert next_slot(NOW, now=NOW + timedelta(seconds=1), period=PERIOD) == NOW + PERIOD


def test_missed_slots_are_not_made_up_for() -> None:
    assert next_slot(NOW, now=NOW + 2.5 * PERIOD, period=PERIOD) == NOW + 3 * PERIOD


def test_a_first_failure_costs_one_slot_only() -> None:
    assert after(1, at=NOW + timedelta(seconds=3)) == NOW + PERIOD


@pytest.mark.parametrize(("failures", "periods"), [(2, 2), (3, 4), (4, 8), (5, 16)])
def test_pauses_double_with_each_failure_in_a_row(failures: int, periods: int) -> None:
    assert after(failures) == NOW + periods * PERIOD


@pytest.mark.parametrize(("jitter", "seconds"), [(0.5, 30), (0.75, 45), (1, 60)])
def test_the_jitter_shortens_a_pause(jitter: float, seconds: int) -> None:
    assert after(2, jitter=jitter) == NOW + timedelta(seconds=seconds)


def test_the_jitter_is_drawn_between_half_and_the_whole() -> None:
    asked: list[tuple[float, float]] = []

    after_failure(NOW, failures=3, now=NOW, period=PERIOD, jitter=lambda *range_: asked.append(range_) or 1)

    assert asked == [(0.5, 1)]


@given(failures=st.integers(2, 10**6), jitter=st.floats(0.5, 1))
def test_no_pause_is_longer_than_fifteen_minutes(failures: int, jitter: float) -> None:
    assert NOW < after(failures, jitter=jitter) <= NOW + LONGEST_PAUSE == NOW + timedelta(minutes=15)
