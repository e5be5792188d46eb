"""Connections to the database servers that are being killed: one reads the schedule, one writes."""

import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

import pymysql
from sqlalchemy import URL, make_url

_SCHEDULE = "SELECT product_id, due_at, claim_token FROM refreshes"
_CREATE_TABLE = "CREATE TABLE IF NOT EXISTS chaos_write_probe (moment BIGINT PRIMARY KEY)"
_WRITE = "INSERT INTO chaos_write_probe VALUES (%s)"
_WRITE_EVERY_S = 0.25
# A server counts as writable for so long after its last commit.
_WRITABLE_S = 1.0


class ScheduleRow(NamedTuple):
    product_id: int
    due_at: datetime
    claim_token: str | None


class DatabaseNode:
    """Reads the schedule on one server, with a connection that is kept while the server lives."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._connection: pymysql.Connection | None = None

    def schedule(self) -> list[ScheduleRow] | None:
        """The schedule as this server has it; None: the server does not answer."""
        try:
            if self._connection is None:
                self._connection = _connection(self._url)
            with self._connection.cursor() as cursor:
                cursor.execute(_SCHEDULE)
                return [
                    ScheduleRow(each, due_at.replace(tzinfo=UTC), token) for each, due_at, token in cursor
                ]
        except (pymysql.Error, OSError):
            self.close()
            return None

    def close(self) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.close()
        self._connection = None


class WriteProbe:
    """Commits to one server all the time: a server that answers reads may still take no writes.

    The other nodes of a cluster take none for many seconds after one was killed.
    """

    def __init__(self, url: str) -> None:
        """The server is up now."""
        self._url = make_url(url)
        self._committed_at = 0.0
        self._is_stopping = False
        with _connection(self._url) as connection, connection.cursor() as cursor:
            cursor.execute(_CREATE_TABLE)
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def is_writable(self) -> bool:
        return time.monotonic() - self._committed_at < _WRITABLE_S

    def stop(self) -> None:
        self._is_stopping = True

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                with _connection(self._url) as connection, connection.cursor() as cursor:
                    while not self._is_stopping:
                        cursor.execute(_WRITE, [time.monotonic_ns()])
                        self._committed_at = time.monotonic()
                        time.sleep(_WRITE_EVERY_S)
            except (pymysql.Error, OSError):
                time.sleep(_WRITE_EVERY_S)


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
