"""How long a request may use the database, and how many requests of a process may use it at the same time.

A database that hangs must not hold up everything. A request ends when its time is used up. While all places
are taken and nobody gives one back, further requests are refused at once, so that a thread stays free for
those that need no database.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pymysql.cursors import Cursor
from sqlalchemy import Connection, Engine, event

from productator.database.engine import CONNECT_TIMEOUT_S
from productator.database.failures import BUSY
from productator.database.places import Places
from productator.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

# The part of a request's budget within which some place is given back, unless the database hangs. A process
# that starts on a busy machine has been seen to take more than half a second for its first connections.
STUCK_PART = 0.25
_LEAST_S = 0.5
# Key in the environ: how long the request has waited already, in a proxy and for its turn here.
WAITED_S = "productator.waited_s"


class DatabaseMetrics(Protocol):
    """What counts the uses of the database, and its errors by the kinds of `failures.py`."""

    def count_database_use(self, kind: str, seconds: float) -> None: ...

    def count_database_error(self, kind: str) -> None: ...


class DatabaseUse:
    """The places of a process, and what each thread's request has left of its budget."""

    def __init__(self, *, budget_s: float, places: int, metrics: DatabaseMetrics) -> None:
        self._budget_s = budget_s
        self._stuck_s = budget_s * STUCK_PART
        self.places = places
        self._metrics = metrics
        self._places = Places(places)
        self._own = _OwnUse(budget_s)

    def begin_request(self, waited_s: float = 0.0) -> None:
        """`waited_s` counts as used: while the database hangs, requests wait for those that wait for it."""
        self._own.left_s = self._budget_s - waited_s
        self._own.used_s = 0.0

    def limit(self, most_s: float) -> None:
        """Leaves this much of the request's budget, at most."""
        self._own.left_s = min(self._own.left_s, most_s)

    @contextmanager
    def place(self, kind: str) -> Iterator[None]:
        """Keeps a place for this thread to `read` or `write`; within another one it is the same place.

        Its time counts, the wait for it included.
        """
        is_first = self.enter(kind)
        try:
            yield
        finally:
            if is_first:
                self.leave(kind)

    def enter(self, kind: str) -> bool:
        """Whether this took a place, which `leave` has to give back."""
        if self._own.since is not None:
            return False
        self._own.since = time.monotonic()
        try:
            self._take()
        except BaseException:
            self._stop_counting(kind)
            raise
        return True

    def leave(self, kind: str) -> None:
        self._places.give_back()
        self._stop_counting(kind)

    def _stop_counting(self, kind: str) -> None:
        used_s = 0.0 if self._own.since is None else time.monotonic() - self._own.since
        self._own.since = None
        self._own.left_s -= used_s
        self._own.used_s += used_s
        self._metrics.count_database_use(kind, used_s)

    @property
    def used_s(self) -> float:
        """How long the request has used the database, its waits included."""
        return self._own.used_s

    @property
    def left_s(self) -> float:
        """What is left of the request's budget: only its time with the database counts."""
        used_s = 0.0 if self._own.since is None else time.monotonic() - self._own.since
        return self._own.left_s - used_s

    @property
    def has_time(self) -> bool:
        """Whether there is enough for one more try: a driver gets no less than a second, `left_whole_s`."""
        return self.left_s >= _LEAST_S

    @property
    def left_whole_s(self) -> int:
        """At least one, since drivers take 0 for no limit; whole, since setting another number takes time.

        The nearest: a request that has waited a little would else get a second more than it has.
        """
        return max(1, round(self.left_s))

    def _take(self) -> None:
        if not self._places.take(self._longest_wait_s):
            self._metrics.count_database_error(BUSY)
            raise DatabaseUnavailable

    def _longest_wait_s(self) -> float:
        """Until too little is left of the budget, or the database hangs: no place is given back."""
        hangs_in_s = self._places.changed_at + self._stuck_s - time.monotonic()
        return min(hangs_in_s, self.left_s - _LEAST_S)


class _OwnUse(threading.local):
    def __init__(self, budget_s: float) -> None:
        self.left_s = budget_s
        self.used_s = 0.0
        # When it began to use the database; None: it does not.
        self.since: float | None = None


def bound(engine: Engine, use: DatabaseUse, *, most_s: int | None = None) -> None:
    """Makes every wait of this engine end when the request's budget is used up, or after `most_s`.

    Call it before `prepare`.
    """
    if engine.dialect.name == "sqlite":
        _bound_file(engine, use)
    else:
        _bound_server(engine, use, most_s)


def _bound_file(engine: Engine, use: DatabaseUse) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def limit_waiting(_connection: object, cursor: sqlite3.Cursor, *_: object) -> None:
        cursor.connection.execute(f"PRAGMA busy_timeout = {max(1, int(use.left_s * 1000))}")


def _bound_server(engine: Engine, use: DatabaseUse, most_s: int | None) -> None:
    def left_whole_s() -> int:
        return use.left_whole_s if most_s is None else min(use.left_whole_s, most_s)

    @event.listens_for(engine, "do_connect")
    def limit_connecting(
        _dialect: object, _record: object, _arguments: object, given: dict[str, Any]
    ) -> None:
        left_s = left_whole_s()
        given |= {"connect_timeout": min(CONNECT_TIMEOUT_S, left_s)}
        given |= {"read_timeout": left_s, "write_timeout": left_s}

    @event.listens_for(engine, "before_cursor_execute")
    def limit_statement(_connection: object, cursor: Cursor, *_: object) -> None:
        _limit_answer(cursor.connection, left_whole_s())

    @event.listens_for(engine, "commit")
    def limit_commit(connection: Connection) -> None:
        _limit_answer(connection.connection.dbapi_connection, left_whole_s())


def _limit_answer(connection: Any, left_s: int) -> None:
    # PyMySQL has no public way to change this for one statement; it reads the values before each wait.
    connection._read_timeout = connection._write_timeout = left_s  # noqa: SLF001 - see above
