"""Each worker of the API keeps to one processor, and lets its threads finish their turns."""

import os
import threading
from collections.abc import Callable

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


def _policies_after(call: Callable[[], None]) -> list[int]:
    """How the system schedules a thread that has called this, and one that it has started then."""
    found: list[int] = []

    def note() -> None:
        found.append(os.sched_getscheduler(0))

    def work() -> None:
        call()
        note()
        inner = threading.Thread(target=note)
        inner.start()
        inner.join()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found


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


def test_the_threads_of_a_worker_finish_their_turns_and_others_stay_as_they_are() -> None:
    before = os.sched_getscheduler(0)

    assert _policies_after(processors.finish_turns) == [os.SCHED_BATCH, os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == before


def test_a_policy_that_an_operator_has_chosen_stays() -> None:
    def start_idle() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        processors.finish_turns()

    assert _policies_after(start_idle) == [os.SCHED_IDLE, os.SCHED_IDLE]


@pytest.mark.parametrize("missing", ["sched_getaffinity", "sched_setscheduler", "SCHED_BATCH"])
def test_a_worker_starts_on_a_system_without_such_calls(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delattr(os, missing)

    processors.keep_to_one(1, workers=-1)
    assert len(_policies_after(processors.finish_turns)) == 2


def test_a_worker_starts_where_the_system_refuses_to_schedule_it_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)

    assert _policies_after(processors.finish_turns) == [before, before]
