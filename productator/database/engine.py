"""Database engines for all programs, with the options that each database needs."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from sqlalchemy import Connection, Dialect, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from productator.database.column_types import utc_time
from productator.database.driver import LeanConnection
from productator.database.failures import MissingFile, is_server_without_writes

CONNECT_TIMEOUT_S = 5
# Longer than any of our statements takes, shorter than a caller waits.
STATEMENT_TIMEOUT_S = 20
# Locks last for milliseconds; after a longer wait it is better to retry the whole transaction.
LOCK_TIMEOUT_S = 2
# The server closes a connection that is idle for this long, which releases the locks of a client that has
# disappeared. The pool recycles connections earlier, before the server or a common proxy closes them.
IDLE_TIMEOUT_S = 90
_POOL_RECYCLE_S = 60
_LONG_IDLE_TIMEOUT_S = 8 * 3600
SQLITE_BUSY_TIMEOUT_S = 15
_PAUSE_S = 0.02
# Errors go to the log, and the parameters of statements are texts of users.
_DISCREET = {"hide_parameters": True}
# For GROUP_CONCAT, whose result MySQL cuts at one kilobyte by default.
LONGEST_TEXT_BYTES = 3 * 1024 * 1024

# The driver's own conversions of times are slower: they work digit by digit. All times are UTC.
_CONVERSIONS = {
    **conversions,
    datetime: lambda value, _mapping: f"'{value.replace(tzinfo=None)}'",
    FIELD_TYPE.DATETIME: utc_time,
}
# By each connection to SQLite of the workers and commands.
_KEPT_STATEMENTS = 8


def engine_options(url: str) -> dict[str, Any]:
    """Arguments for create_engine, the same in all programs."""
    if make_url(url).get_backend_name() == "sqlite":
        return _DISCREET | {"connect_args": {"timeout": SQLITE_BUSY_TIMEOUT_S}}
    return _DISCREET | {
        # No level prevents lost updates without compare-and-set; this one never locks gaps.
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


def absolute(url: str) -> str:
    """The same address; a relative path to an SQLite file begins at the working directory."""
    parsed = make_url(url)
    file = parsed.database
    if parsed.get_backend_name() != "sqlite" or not file or file == ":memory:" or "uri" in parsed.query:
        return url
    return parsed.set(database=str(Path(file).resolve())).render_as_string(hide_password=False)


def make_engine(url: str) -> Engine:
    options = engine_options(url)
    if make_url(url).get_backend_name() == "sqlite":
        # Statements of `bulk.py` are long, and no two are equal. 128 of them, the driver's default, take a
        # hundred megabytes for each connection.
        options["connect_args"] = {**options.get("connect_args", {}), "cached_statements": _KEPT_STATEMENTS}
    engine = create_engine(url, **options)
    prepare(engine)
    return engine


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """A connection whose reads all see the state of the first read, and block no write."""
    if make_url(url).get_backend_name() == "sqlite":
        # Other connections begin with the write lock, which would block the one writer.
        engine = create_engine(url, **autocommit_options(url))
        prepare(engine, autocommit=True)
    else:
        options = engine_options(url) | {"isolation_level": "REPEATABLE READ"}
        # Between reads it may wait long for the consumer of the rows.
        options["connect_args"] |= {"init_command": _session_settings(_LONG_IDLE_TIMEOUT_S)}
        engine = create_engine(url, **options)
    try:
        with engine.connect() as connection:
            begin_snapshot(connection)
            yield connection
    finally:
        engine.dispose()


def begin_snapshot(connection: Connection) -> None:
    """On a server, the connection must have the level REPEATABLE READ, the default."""
    is_sqlite = connection.dialect.name == "sqlite"
    begin = "BEGIN" if is_sqlite else "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    connection.exec_driver_sql(begin)


def autocommit_options(url: str) -> dict[str, Any]:
    """For reads of one statement: one round trip, without a transaction."""
    return engine_options(url) | {
        "isolation_level": "AUTOCOMMIT",
        "skip_autocommit_rollback": True,
        # A connection comes back as it was taken.
        "pool_reset_on_return": None,
    }


def prepare(engine: Engine, *, autocommit: bool = False) -> None:
    """Makes SQLite enforce what servers do; drops connections that take no writes."""
    event.listen(engine, "handle_error", _disconnect_without_writes)
    if engine.dialect.name != "sqlite":
        event.listen(engine, "do_connect", _connect)
        return
    event.listen(engine, "do_connect", _refuse_missing_file)
    event.listen(engine, "connect", _set_pragmas)
    if not autocommit:
        event.listen(engine, "begin", _begin_immediate)


def _connect(
    _dialect: Dialect, _record: object, arguments: Sequence[Any], options: Mapping[str, Any]
) -> LeanConnection:
    return LeanConnection(*arguments, **options)


def _disconnect_without_writes(failure: ExceptionContext) -> None:
    # All connections of the pool lead to that server and would fail until they are recycled. A proxy or name
    # server in front leads new connections to another one. A connection to an SQLite file that was read-only
    # when it was opened stays so.
    error = failure.sqlalchemy_exception
    if isinstance(error, DBAPIError) and is_server_without_writes(error):
        failure.is_disconnect = True


def create_file(engine: Engine) -> None:
    """Creates the empty file of an SQLite database, and its folder, unless it exists."""
    file = engine.url.database
    if engine.dialect.name != "sqlite" or not file or file == ":memory:" or "uri" in engine.url.query:
        return
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    if not Path(file).exists():
        Path(file).touch()


def _refuse_missing_file(
    _dialect: Dialect, _record: object, arguments: list[str], options: Mapping[str, Any]
) -> None:
    """SQLite would create a file of which only the name is wrong; `create_file` is the one way to get one."""
    (file,) = arguments
    if file != ":memory:" and "uri" not in options and not Path(file).exists():
        raise MissingFile(file)


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    (timeout_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # When several open a new file at once, SQLite refuses some without waiting.
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once, whatever the timeout, if another process
    # wrote in between. With the write lock from its start, it waits for its turn instead.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
