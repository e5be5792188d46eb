"""The places for requests that use the database, and the time that each may use it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from productator.database.use import DatabaseUse
from productator.errors import DatabaseUnavailable


class Counted:
    """Metrics that a test can read."""

    def __init__(self) -> None:
        self.uses: list[str] = []
        self.errors: list[str] = []

    def count_database_use(self, kind: str, seconds: float) -> None:
        assert seconds >= 0
        self.uses.append(kind)

    def count_database_error(self, kind: str) -> None:
        self.errors.append(kind)


def in_another_thread(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def take_place(use: DatabaseUse) -> None:
    use.begin_request()
    with use.place("read"):
        pass


def test_only_the_time_with_the_database_counts() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())

    time.sleep(0.02)
    assert use.left_s == 5
    with use.place("read"):
        time.sleep(0.02)
        assert use.left_s < 4.99
    left_s = use.left_s
    time.sleep(0.02)

    assert use.left_s == left_s < 4.99


def test_each_request_has_the_whole_budget() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())
    with use.place("read"):
        time.sleep(0.02)

    use.begin_request()

    assert use.left_s == 5


def test_the_wait_for_its_turn_counts_against_the_budget_of_a_request() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())

    use.begin_request(waited_s=2)

    assert use.left_s == 3


@pytest.mark.parametrize(("left_s", "whole_s"), [(8.0, 8), (7.99, 8), (7.4, 7), (0.2, 1)])
def test_a_driver_waits_half_a_second_longer_than_the_budget_at_the_most(left_s: float, whole_s: int) -> None:
    use = DatabaseUse(budget_s=left_s, places=1, metrics=Counted())

    use.begin_request()

    assert use.left_whole_s == whole_s


@pytest.mark.parametrize(("left_s", "has_time"), [(8.0, True), (0.6, True), (0.4, False), (-1.0, False)])
def test_no_try_begins_that_could_end_half_a_second_after_the_budget(left_s: float, has_time: bool) -> None:
    use = DatabaseUse(budget_s=left_s, places=1, metrics=Counted())

    use.begin_request()

    assert use.has_time is has_time


def test_a_place_within_a_place_is_the_same() -> None:
    counted = Counted()
    use = DatabaseUse(budget_s=5, places=1, metrics=counted)

    with use.place("write"), use.place("read"):
        pass

    assert counted.uses == ["write"]
    in_another_thread(lambda: take_place(use))


def test_requests_are_refused_at_once_while_nobody_gives_a_place_back() -> None:
    counted = Counted()
    use = DatabaseUse(budget_s=0.2, places=1, metrics=counted)
    with use.place("read"):
        time.sleep(0.1)
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            in_another_thread(lambda: take_place(use))
        assert time.monotonic() - began < 0.05

    assert counted.errors == ["busy"]
    in_another_thread(lambda: take_place(use))


def test_a_request_waits_for_a_place_that_is_given_back() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())
    waits = Event()

    def take() -> None:
        use.begin_request()
        waits.set()
        with use.place("read"):
            pass

    with ThreadPoolExecutor(1) as thread:
        with use.place("read"):
            waiting = thread.submit(take)
            waits.wait()
        waiting.result()


def test_a_request_with_little_time_left_waits_for_no_place() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())

    def take() -> None:
        use.begin_request(waited_s=4.7)
        with use.place("read"):
            pass

    with ThreadPoolExecutor(1) as thread:
        with use.place("read"):
            waiting = thread.submit(take)
            time.sleep(0.1)
        with pytest.raises(DatabaseUnavailable):
            waiting.result()


def test_a_driver_is_never_given_a_timeout_of_zero() -> None:
    use = DatabaseUse(budget_s=5, places=1, metrics=Counted())

    use.limit(0)

    assert use.left_whole_s == 1
