"""Ends a worker that uses too much memory, before the kernel chooses a process to end.

uWSGI would look at the memory after each request, which takes longer the more threads a worker has: a read of
ten offers became 3 to 8 % dearer.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path

from productator.ops.threads import without_signals

log = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024 * 1024
_EVERY_S = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def start_watch(most_bytes: int = MOST_BYTES) -> None:
    """Looks each second, in a thread; above the limit it ends this process as the kernel would.

    uWSGI replaces it.
    """
    with without_signals():
        threading.Thread(target=_watch, args=(most_bytes,), name="memory", daemon=True).start()


def _watch(most_bytes: int) -> None:
    while True:
        time.sleep(_EVERY_S)
        try:
            used = _used_bytes()
        except OSError as error:  # no descriptor is free; the next look may succeed
            log.warning("the memory of a worker cannot be read", extra={"error": str(error)})
            continue
        if used > most_bytes:
            log.error("a worker uses too much memory and is replaced", extra={"mib": used // 2**20})
            os.kill(os.getpid(), signal.SIGKILL)


def _used_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
