"""How long products wait and claims last, seen in the database while everything else is being broken."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pymysql
from sqlalchemy import URL, make_url

_QUERY = "SELECT product_id, due_at, claim_token FROM refreshes"
_PULSE_TABLE = "CREATE TABLE IF NOT EXISTS chaos_pulse (beats BIGINT PRIMARY KEY)"
_BEAT = "INSERT INTO chaos_pulse VALUES (%s)"
_BEAT_EVERY_S = 0.25
_ALIVE_S = 1.0


class Node:
    """A server's address, and a connection to it while there is one."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._connection: pymysql.Connection | None = None

    def rows(self) -> list[tuple[int, datetime, str | None]] | None:
        """The schedule as it stands there; None: the server does not answer."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection.cursor() as cursor:
                cursor.execute(_QUERY)
                return [(each, due_at.replace(tzinfo=UTC), token) for each, due_at, token in cursor]
        except (pymysql.Error, OSError):
            self.close()
            return None

    def close(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.close()
        self._connection = None

    def _connect(self) -> pymysql.Connection:
        return _connection(self._url)


class Pulse:
    """Commits to a server all the time: one that answers, and calls itself well, may take no writes.

    The others of a cluster do so for many seconds after a node was killed.
    """

    def __init__(self, url: str) -> None:
        """The server is up now."""
        self._url = make_url(url)
        self._beat_at = 0.0
        self._is_wanted = True
        with _connection(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(_PULSE_TABLE)
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def is_felt(self) -> bool:
        return time.monotonic() - self._beat_at < _ALIVE_S

    def stop(self) -> None:
        self._is_wanted = False

    def _beat(self) -> None:
        while self._is_wanted:
            try:
                with _connection(self._url) as connection, connection.cursor() as cursor:
                    while self._is_wanted:
                        cursor.execute(_BEAT, [time.monotonic_ns()])
                        self._beat_at = time.monotonic()
                        time.sleep(_BEAT_EVERY_S)
            except (pymysql.Error, OSError):
                time.sleep(_BEAT_EVERY_S)


def _connection(url: URL) -> pymysql.Connection:
    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        autocommit=True,
        connect_timeout=1,
        read_timeout=5,
    )


@dataclass
class Watch:
    """Counts time only while somebody could work: the database took writes, and a refresher was on it."""

    longest_late_s: float = 0.0
    longest_claim_s: float = 0.0
    idle_s: float = 0.0
    samples: int = 0
    _able_since: datetime | None = None
    _seen: dict[tuple[int, str], datetime] = field(default_factory=dict)
    _last: datetime | None = None

    def unable(self, now: datetime) -> None:
        """Nobody could work at this moment."""
        self._able_since = None
        self._tick(now, idle=True)

    def look(self, rows: list[tuple[int, datetime, str | None]], now: datetime) -> None:
        self._tick(now, idle=False)
        self.samples += 1
        if self._able_since is None:
            self._able_since = now
            # What was held meanwhile could not be stored.
            self._seen = {}
        since = self._able_since
        held = {(product_id, token) for product_id, _, token in rows if token is not None}
        self._seen = {claim: self._seen.get(claim, now) for claim in held}
        oldest_claim = min(self._seen.values(), default=now)
        self.longest_claim_s = max(self.longest_claim_s, _seconds(now - oldest_claim))
        oldest_due = min((due_at for _, due_at, _ in rows), default=now)
        self.longest_late_s = max(self.longest_late_s, _seconds(now - max(oldest_due, since)))

    def _tick(self, now: datetime, *, idle: bool) -> None:
        if idle and self._last is not None:
            self.idle_s += _seconds(now - self._last)
        self._last = now


def _seconds(duration: timedelta) -> float:
    return duration.total_seconds()
