"""Places are given in the order in which threads come."""

import threading
import time

from lab.waiting import eventually
from productator.database.places import Places


class Waiting:
    """A thread that takes a place and gives it back when `leaves` is set."""

    def __init__(self, places: Places) -> None:
        self.has_got: bool | None = None
        self.leaves = threading.Event()
        self._places = places
        # A daemon, so that a test that fails ends.
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.has_got = self._places.take()
        self.leaves.wait()
        self._places.give_back()


def _waiting(places: Places, number: int) -> list[Waiting]:
    """Threads that wait in this order."""
    found: list[Waiting] = []
    for _ in range(number):
        found.append(Waiting(places))
        eventually(lambda: places.waiting == len(found))
    return found


def test_a_place_goes_to_the_thread_that_has_waited_longest() -> None:
    places = Places(1)
    places.take()
    first, second, third = waiting = _waiting(places, 3)

    places.give_back()
    eventually(lambda: first.has_got is True)
    assert (second.has_got, third.has_got) == (None, None)
    first.leaves.set()
    eventually(lambda: second.has_got is True)
    assert third.has_got is None

    for each in waiting:
        each.leaves.set()
        each.thread.join()
    assert places.take(lambda: 0)


def test_who_comes_later_does_not_take_the_place_of_one_that_is_woken() -> None:
    places = Places(1)
    places.take()
    (waiting,) = _waiting(places, 1)

    places.give_back()

    # At once, before the other thread may have run.
    assert not places.take(lambda: 0)
    waiting.leaves.set()
    waiting.thread.join()


def test_no_more_threads_have_a_place_than_there_are() -> None:
    places, most, now = Places(3), [], []

    def work() -> None:
        for _ in range(200):
            assert places.take()
            now.append(1)
            most.append(len(now))
            time.sleep(0)
            now.pop()
            places.give_back()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(most) == 12 * 200
    assert max(most) == 3
    assert all(places.take(lambda: 0) for _ in range(3))
    assert not places.take(lambda: 0)


def test_who_has_waited_for_too_long_gets_none_and_stands_in_nobodys_way() -> None:
    places = Places(1)
    places.take()
    times = iter([0.01, 0.01, 0.0])

    assert not places.take(lambda: next(times))
    places.give_back()

    assert places.take(lambda: 0)


def test_a_place_that_comes_at_the_last_moment_is_kept() -> None:
    places = Places(1)
    places.take()
    times = iter([0.0])

    def longest_s() -> float:
        # While it looks at the clock.
        places.give_back()
        return next(times)

    assert places.take(longest_s)
    assert not places.take(lambda: 0)


def test_it_tells_when_a_place_was_last_taken_or_given_back() -> None:
    places = Places(1)
    began = time.monotonic()
    places.take()
    taken_at = places.changed_at
    assert taken_at >= began

    assert not places.take(lambda: 0)
    assert places.changed_at == taken_at

    began = time.monotonic()
    places.give_back()
    assert places.changed_at >= began
