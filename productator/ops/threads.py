"""Threads beside those of uWSGI."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_signals() -> Iterator[None]:
    """Threads that are started within get no signals: uWSGI handles them in its own threads only."""
    allowed = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
