"""Which processor a worker of the API runs on."""

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
    # The system may not allow it.
    with suppress(OSError):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) == workers:
            os.sched_setaffinity(0, {allowed[(_first() + worker) % workers]})


def _first() -> int:
    """The same for all workers of an API. Others on this machine mostly have another number."""
    return zlib.crc32(f"{socket.gethostname()} {os.getppid()}".encode())
