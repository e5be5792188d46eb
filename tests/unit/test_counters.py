"""Windows of the rate limits: when one ends, and how many there can be."""

import pytest

from productator.domain import RateWindow
from productator.ops import shared_counters
from productator.ops.shared_counters import ProcessCounters


@pytest.fixture
def counters() -> ProcessCounters:
    return ProcessCounters()


def test_a_window_begins_with_its_first_request(counters: ProcessCounters) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 1, now=159.9, length_s=60) == RateWindow(160.0, 2)


def test_the_request_after_a_windows_end_begins_another(counters: ProcessCounters) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 1, now=160.0, length_s=60) == RateWindow(220.0, 1)


def test_each_caller_is_counted_separately(counters: ProcessCounters) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("b", 1, now=101.0, length_s=60) == RateWindow(161.0, 1)


def test_reading_counts_nothing(counters: ProcessCounters) -> None:
    counters.add("a", 1, now=100.0, length_s=60)

    assert counters.add("a", 0, now=101.0, length_s=60).count == 1


@pytest.fixture
def full(counters: ProcessCounters) -> ProcessCounters:
    for number in range(20_000):
        counters.add(f"{number}", 1, now=100.0, length_s=60)
    return counters


def test_a_new_caller_is_counted_when_there_is_no_room(full: ProcessCounters) -> None:
    full.add("one more", 1, now=101.0, length_s=60)

    assert full.add("one more", 1, now=101.0, length_s=60).count == 2


def test_the_caller_that_was_counted_the_longest_time_ago_makes_room(full: ProcessCounters) -> None:
    full.add("0", 1, now=101.0, length_s=60)
    full.add("one more", 1, now=101.0, length_s=60)

    assert full.add("0", 1, now=101.0, length_s=60).count == 3
    assert full.add("2", 1, now=101.0, length_s=60).count == 2
    assert full.add("1", 1, now=101.0, length_s=60).count == 1, "it made room"


def test_a_known_caller_is_counted_when_there_is_no_room(full: ProcessCounters) -> None:
    assert full.add("7", 1, now=101.0, length_s=60).count == 2


class NoCache:
    """uWSGI that was started without the cache."""

    lock = unlock = staticmethod(lambda: None)

    @staticmethod
    def cache_get(name: str, cache: str) -> None:
        assert (len(name), cache) == (32, "limits")

    @staticmethod
    def cache_update(name: str, packed: bytes, expires: int, cache: str) -> None:
        assert (len(packed), expires, cache, len(name)) == (16, 0, "limits", 32)


def test_a_worker_without_the_shared_cache_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_counters, "uwsgi", NoCache)
    counters = shared_counters.SharedCounters()

    assert [counters.add("a", 1, now=100.0, length_s=60).count for _ in range(3)] == [1, 2, 3]
