"""Each worker of the API keeps to one processor."""

import os
import threading

from productator.ops import processors


def _kept(worker: int) -> set[int]:
    """The processors that a thread may use which belongs to this worker."""
    found: list[set[int]] = []

    def keep() -> None:
        # A thread has processors of its own: this test keeps those it has.
        processors.keep_to_one(worker)
        inner = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        inner.start()
        inner.join()

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    return found[0]


def test_the_threads_of_a_worker_share_one_processor_and_workers_have_different_ones() -> None:
    allowed = os.sched_getaffinity(0)

    found = [_kept(worker) for worker in range(1, len(allowed) + 1)]

    assert all(len(each) == 1 for each in found)
    assert set.union(*found) == allowed


def test_a_worker_more_than_there_are_processors_shares_one() -> None:
    allowed = os.sched_getaffinity(0)

    assert _kept(len(allowed) + 1) == _kept(1)
