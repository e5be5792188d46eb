"""Windows of requests: when one ends, and that there are not ever more of them."""

import pytest

from productator.domain import RateWindow
from productator.ops.shared_counters import CountersFailed, InProcess


@pytest.fixture
def counters() -> InProcess:
    return InProcess()


def test_a_window_begins_with_its_first_request(counters: InProcess) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 1, now=159.9, length_s=60) == RateWindow(160.0, 2)


def test_the_request_after_a_windows_end_begins_another(counters: InProcess) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 1, now=160.0, length_s=60) == RateWindow(220.0, 1)


def test_callers_are_counted_each_for_itself(counters: InProcess) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("b", 1, now=101.0, length_s=60) == RateWindow(161.0, 1)


def test_looking_counts_nothing(counters: InProcess) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 0, now=101.0, length_s=60).count == 1


@pytest.fixture
def full(counters: InProcess) -> InProcess:
    for number in range(20_000):
        counters.add(f"{number}", 1, now=100.0, length_s=60)
    return counters


def test_who_finds_no_room_cannot_be_counted(full: InProcess) -> None:
    with pytest.raises(CountersFailed):
        full.add("one more", 1, now=101.0, length_s=60)


def test_who_is_known_is_counted_when_there_is_no_room(full: InProcess) -> None:
    assert full.add("7", 1, now=101.0, length_s=60).count == 2


def test_windows_that_are_over_make_room(full: InProcess) -> None:
    assert full.add("one more", 1, now=160.0, length_s=60).count == 1
