"""How long products wait and claims last, seen in the database while everything else is being broken."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pymysql
from sqlalchemy import make_url

_QUERY = "SELECT product_id, due_at, claim_token FROM refreshes"


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
        return pymysql.connect(
            host=self._url.host,
            port=self._url.port or 3306,
            user=self._url.username,
            password=self._url.password or "",
            database=self._url.database,
            autocommit=True,
            connect_timeout=1,
            read_timeout=5,
        )


@dataclass
class Watch:
    """Counts time only while somebody could work: the database was there, and a refresher on it."""

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
