"""Clocks that are wrong, for as long as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from sqlalchemy import Connection, Engine, event

from productator import domain


@contextmanager
def all_clocks_ahead(by: timedelta) -> Iterator[None]:
    with our_clock_ahead(by), server_clock_ahead(by):
        yield


@contextmanager
def our_clock_ahead(by: timedelta) -> Iterator[None]:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + by

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "datetime", Wrong)
        yield


@contextmanager
def server_clock_ahead(by: timedelta) -> Iterator[None]:
    """In all transactions that begin meanwhile; SQLite has no server."""

    def change(connection: Connection) -> None:
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql(f"SET TIMESTAMP = {(datetime.now(UTC) + by).timestamp():.6f}")

    def put_right(connection: Connection) -> None:
        # The application keeps connections between its transactions.
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("SET TIMESTAMP = DEFAULT")

    event.listen(Engine, "begin", change)
    for end in ("commit", "rollback"):
        event.listen(Engine, end, put_right)
    yield
    event.remove(Engine, "begin", change)
    for end in ("commit", "rollback"):
        event.remove(Engine, end, put_right)
