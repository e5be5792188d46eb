"""Which processor a worker of the API runs on."""

import os
import socket
import zlib
from contextlib import suppress


def keep_to_one(worker: int) -> None:
    """Keeps the calling thread, and those that it starts, on one of the processors that it may use.

    Only one thread of a worker runs Python at a time. Where they move between processors, what one of them
    has in its cache is foreign to the next: a read took a fifth more processor time, and the slowest reads
    half as long again.
    """
    allowed = sorted(os.sched_getaffinity(0))
    # The first workers of many hosts or containers, which have little to do, do not share one processor.
    first = zlib.crc32(socket.gethostname().encode())
    with suppress(OSError):  # the system does not allow it
        os.sched_setaffinity(0, {allowed[(first + worker) % len(allowed)]})
