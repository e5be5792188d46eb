"""Counts of requests per caller and time window; under uWSGI, all workers share them."""

import hashlib
import struct
from threading import Lock
from typing import Protocol

from productator.domain import RateWindow

try:
    import uwsgi
except ImportError:  # a server of one process
    uwsgi = None

# The name of the cache in uwsgi.ini, which sets how many windows it holds.
_CACHE = "limits"
_PACKED = struct.Struct("dQ")
_MOST_CALLERS = 20_000


class Counters(Protocol):
    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        """The key's window after `amount` more requests; a new one begins when the last one has ended.

        `now` is a time of the monotonic clock, which all processes of a machine share.
        """


def make_counters() -> Counters:
    return ProcessCounters() if uwsgi is None else SharedCounters()


class ProcessCounters:
    """For one process. The caller that has not been counted for the longest time makes room for a new one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._windows: dict[str, RateWindow] = {}

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        with self._lock:
            window = _counted(self._windows.pop(key, None), amount, now=now, length_s=length_s)
            if len(self._windows) >= _MOST_CALLERS:
                del self._windows[next(iter(self._windows))]
            self._windows[key] = window
            return window


class SharedCounters:
    """In uWSGI's cache, which makes room in the same way. Adding and reading in one step needs a lock.

    The kernel releases the lock of a killed worker, and a new worker finds all counts. Where uWSGI has no
    such cache, each worker counts alone.
    """

    def __init__(self) -> None:
        self._own = ProcessCounters()

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        uwsgi.lock()
        try:
            stored = uwsgi.cache_get(name, _CACHE)
            before = RateWindow(*_PACKED.unpack(stored)) if stored else None
            window = _counted(before, amount, now=now, length_s=length_s)
            packed = _PACKED.pack(window.ends_at, window.count)
            # It never expires: a window has its own end, and `purge_lru` excludes expiry.
            is_kept = uwsgi.cache_update(name, packed, 0, _CACHE)
        finally:
            uwsgi.unlock()
        return window if is_kept else self._own.add(key, amount, now=now, length_s=length_s)


def _counted(window: RateWindow | None, amount: int, *, now: float, length_s: int) -> RateWindow:
    if window is None or window.ends_at <= now:
        return RateWindow(now + length_s, amount)
    return RateWindow(window.ends_at, window.count + amount)
