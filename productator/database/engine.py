"""How both programs talk to the database: engines that fit each kind, and transactions that are retried."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DBAPIError

from productator.database.failures import is_of_a_useless_server

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 5
# Longer than any statement of ours takes, shorter than a caller waits.
STATEMENT_TIMEOUT_S = 20
# Locks are held for milliseconds; who waits longer had better try the whole transaction again.
LOCK_TIMEOUT_S = 2
# The server ends a connection that has been silent for so long, and with it the locks of a client that has
# vanished. The pool gives out none that is older than the lesser time; common proxies are as patient, too.
IDLE_TIMEOUT_S = 90
_POOL_RECYCLE_S = 60
_LONG_IDLE_TIMEOUT_S = 8 * 3600
SQLITE_BUSY_TIMEOUT_S = 15
_PAUSE_S = 0.02
# Of values that are put together in one text; MySQL would cut it at one kilobyte.
LONGEST_TEXT_BYTES = 3 * 1024 * 1024

# The driver's own take times apart and put them together digit by digit.
_CONVERSIONS = {
    **conversions,
    datetime: lambda value, _mapping: f"'{value.replace(tzinfo=None)}'",
    FIELD_TYPE.DATETIME: datetime.fromisoformat,
}


def engine_options(url: str) -> dict[str, Any]:
    """Arguments for create_engine, in one place for both programs."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": SQLITE_BUSY_TIMEOUT_S}}
    return {
        # A lost update needs compare-and-set whatever the level; this one never locks gaps.
        "isolation_level": "READ COMMITTED",
        "pool_recycle": _POOL_RECYCLE_S,
        "pool_timeout": CONNECT_TIMEOUT_S,
        "connect_args": {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": STATEMENT_TIMEOUT_S,
            "write_timeout": STATEMENT_TIMEOUT_S,
            "charset": "utf8mb4",
            "init_command": _session_settings(IDLE_TIMEOUT_S),
            "conv": _CONVERSIONS,
        },
    }


def _session_settings(idle_timeout_s: int) -> str:
    return (
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT_S}, wait_timeout = {idle_timeout_s},"
        f" group_concat_max_len = {LONGEST_TEXT_BYTES}"
    )


def make_engine(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """A connection whose reads all see the database as it is at the first, and hold up nobody."""
    if make_url(url).get_backend_name() == "sqlite":
        # Not as all others begin, which keeps the one writer out.
        engine = create_engine(url, **autocommit_options(url))
        prepare(engine, autocommit=True)
    else:
        options = engine_options(url) | {"isolation_level": "REPEATABLE READ"}
        # It waits for whoever takes what was read.
        options["connect_args"] |= {"init_command": _session_settings(_LONG_IDLE_TIMEOUT_S)}
        engine = create_engine(url, **options)
    try:
        with engine.connect() as connection:
            begin_snapshot(connection)
            yield connection
    finally:
        engine.dispose()


def begin_snapshot(connection: Connection) -> None:
    """On a server the connection is one that repeats what it has read, as is usual."""
    is_sqlite = connection.dialect.name == "sqlite"
    begin = "BEGIN" if is_sqlite else "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    connection.exec_driver_sql(begin)


def autocommit_options(url: str) -> dict[str, Any]:
    """For single-statement reads: one round trip, no transaction around it."""
    return engine_options(url) | {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}


def prepare(engine: Engine, *, autocommit: bool = False) -> None:
    """Makes SQLite keep the promises that servers keep, and others leave a server that is of no use now."""
    if engine.dialect.name != "sqlite":
        event.listen(engine, "handle_error", _leave_useless_server)
        return
    if engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    event.listen(engine, "connect", _set_pragmas)
    if not autocommit:
        event.listen(engine, "begin", _begin_immediate)


def _leave_useless_server(failure: ExceptionContext) -> None:
    # All connections of the pool lead there. New ones are led elsewhere by whatever stands before the
    # servers; the old ones would go on failing until they are recycled.
    error = failure.sqlalchemy_exception
    if isinstance(error, DBAPIError) and is_of_a_useless_server(error):
        failure.is_disconnect = True


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # Of several that open a new file at once, SQLite refuses some without waiting.
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, whatever the timeout, when another
    # process wrote in between; taking the write lock at its start makes it wait in line instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
