"""Counts of requests, each over a window of time; under uWSGI, shared by all of its workers."""

import hashlib
import struct
from threading import Lock
from typing import Protocol

from productator.domain import RateWindow

try:
    import uwsgi
except ImportError:  # one process that serves alone
    uwsgi = None

# The name in uwsgi.ini, which says how many windows it holds.
_CACHE = "limits"
_STORED = struct.Struct("dQ")
_MOST = 20_000


class CountersFailed(Exception):
    """A request could not be counted."""


class Counters(Protocol):
    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        """The key's window after `amount` more; it begins with the first request after the last one's end.

        `now` is a reading of the monotonic clock, which all processes of a machine share.
        """


def make_counters() -> Counters:
    return InProcess() if uwsgi is None else AmongWorkers()


class InProcess:
    """For one process; bounded as the other one is."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._windows: dict[str, RateWindow] = {}

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        with self._lock:
            window = _after(self._windows.get(key), amount, now=now, length_s=length_s)
            if key not in self._windows:
                self._make_room(now)
            self._windows[key] = window
            return window

    def _make_room(self, now: float) -> None:
        if len(self._windows) >= _MOST:
            self._windows = {key: window for key, window in self._windows.items() if window.ends_at > now}
        if len(self._windows) >= _MOST:
            raise CountersFailed("there are too many callers at a time")


class AmongWorkers:
    """In uWSGI's shared memory. Its own increments do not tell the sum, hence the lock.

    The lock of a killed worker is released by the kernel, and a new worker finds all counts.
    """

    def add(self, key: str, amount: int, *, now: float, length_s: int) -> RateWindow:
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        uwsgi.lock()
        try:
            stored = uwsgi.cache_get(name, _CACHE)
            before = RateWindow(*_STORED.unpack(stored)) if stored else None
            window = _after(before, amount, now=now, length_s=length_s)
            packed = _STORED.pack(window.ends_at, window.count)
            # uWSGI takes it away when it is over.
            is_kept = uwsgi.cache_update(name, packed, length_s + 1, _CACHE)
        finally:
            uwsgi.unlock()
        if not is_kept:
            raise CountersFailed("uWSGI's cache is full, or there is none")
        return window


def _after(window: RateWindow | None, amount: int, *, now: float, length_s: int) -> RateWindow:
    if window is None or window.ends_at <= now:
        return RateWindow(now + length_s, amount)
    return RateWindow(window.ends_at, window.count + amount)
