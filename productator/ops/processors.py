"""Which processor a worker of the API runs on, and for how long at a time."""

import os
import socket
import zlib
from contextlib import suppress


def keep_to_one(worker: int, *, workers: int) -> None:
    """Keeps the calling thread, and those that it starts, on a processor, if each worker has one to itself.

    Only one thread of a worker runs Python at a time. Where they move between processors, what one of them
    has in its cache is foreign to the next: a read took a fifth more processor time, and the slowest reads
    half as long again.

    With fewer workers than processors, the system decides: a worker that is kept would wait for a neighbour
    while another processor is idle.
    """
    # The system may not allow it, or have no such call.
    with suppress(OSError, AttributeError):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) == workers:
            os.sched_setaffinity(0, {allowed[(_first() + worker) % workers]})


def finish_turns() -> None:
    """Keeps the calling thread, and those that it starts, from interrupting others when they wake up.

    Only one thread of a worker runs Python at a time: one that wakes up would interrupt it, only to wait for
    it. They wait for the turns of other programs, too, some milliseconds, and get as much time as before.
    What an operator has chosen stays.
    """
    with suppress(OSError, AttributeError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _first() -> int:
    """The same for all workers of an API. Others on this machine mostly have another number."""
    return zlib.crc32(f"{socket.gethostname()} {os.getppid()}".encode())
