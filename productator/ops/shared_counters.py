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


class CountersFailed(Exception):
    """A request could not be counted."""


class Counters(Protocol):
    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        """The key's window after `amount` more requests; a new one begins when the last one has ended.

        `now` is a time of the monotonic clock, which all processes of a machine share.
        """


def make_counters() -> Counters:
    return ProcessCounters() if uwsgi is None else SharedCounters()


class ProcessCounters:
    """For one process; as bounded as the shared ones."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._windows: dict[str, RateWindow] = {}

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        with self._lock:
            window = _counted(self._windows.get(key), amount, now=now, length_s=length_s)
            if key not in self._windows:
                self._make_room(now)
            self._windows[key] = window
            return window

    def _make_room(self, now: float) -> None:
        if len(self._windows) >= _MOST_CALLERS:
            self._windows = {key: window for key, window in self._windows.items() if window.ends_at > now}
        if len(self._windows) >= _MOST_CALLERS:
            raise CountersFailed("too many callers at the same time")


class SharedCounters:
    """In uWSGI's cache. The lock is needed because the cache cannot add and read in one step.

    The kernel releases the lock of a killed worker, and a new worker finds all counts.
    """

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        uwsgi.lock()
        try:
            stored = uwsgi.cache_get(name, _CACHE)
            before = RateWindow(*_PACKED.unpack(stored)) if stored else None
            window = _counted(before, amount, now=now, length_s=length_s)
            packed = _PACKED.pack(window.ends_at, window.count)
            # uWSGI removes it when the window has ended.
            is_kept = uwsgi.cache_update(name, packed, length_s + 1, _CACHE)
        finally:
            uwsgi.unlock()
        if not is_kept:
            raise CountersFailed("uWSGI's cache is full or missing")
        return window


def _counted(window: RateWindow | None, amount: int, *, now: float, length_s: int) -> RateWindow:
    if window is None or window.ends_at <= now:
        return RateWindow(now + length_s, amount)
    return RateWindow(window.ends_at, window.count + amount)
