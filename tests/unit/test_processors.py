"""Each worker of the API keeps to one processor."""

import os
import threading

import pytest

from productator.ops import processors


def _kept(worker: int, *, workers: int) -> set[int]:
    """The processors that a thread may use which belongs to this worker."""
    found: list[set[int]] = []

    def keep() -> None:
        # A thread has processors of its own: this test keeps those it has.
        processors.keep_to_one(worker, workers=workers)
        inner = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        inner.start()
        inner.join()

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    return found[0]


def _allowed(monkeypatch: pytest.MonkeyPatch, processors: set[int]) -> list[set[int]]:
    """Has the system allow these, and returns what is asked of it."""
    asked: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _thread: processors)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _thread, wanted: asked.append(wanted))
    return asked


def test_the_threads_of_a_worker_share_one_processor_and_workers_have_different_ones() -> None:
    allowed = os.sched_getaffinity(0)

    found = [_kept(worker, workers=len(allowed)) for worker in range(1, len(allowed) + 1)]

    assert all(len(each) == 1 for each in found)
    assert set.union(*found) == allowed


@pytest.mark.parametrize("difference", [-1, 1])
def test_the_system_decides_where_workers_have_no_processor_each(difference: int) -> None:
    allowed = os.sched_getaffinity(0)

    assert _kept(1, workers=len(allowed) + difference) == allowed


def test_the_first_workers_of_apis_do_not_all_share_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _allowed(monkeypatch, {2, 3, 5, 7})
    for master in range(50):
        monkeypatch.setattr(os, "getppid", lambda master=master: master)
        processors.keep_to_one(1, workers=4)

    assert {processor for each in asked for processor in each} == {2, 3, 5, 7}


def test_a_worker_starts_where_the_system_does_not_tell_its_processors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: int) -> set[int]:
        raise PermissionError

    asked = _allowed(monkeypatch, {0})
    monkeypatch.setattr(os, "sched_getaffinity", refuse)
    processors.keep_to_one(1, workers=1)

    assert asked == []
