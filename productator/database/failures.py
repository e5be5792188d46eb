"""Classifies database errors: transient, unreachable, not migrated, unable to store, or a lock."""

import re
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

# MySQL: connection refused, too many connections, too many of this user.
_UNREACHABLE = {2003, 1040, 1203, 1226, "unable to open database file"}
# This server takes no writes now, but another may: read-only during a failover, a Galera node without the
# others, a server that shuts down.
_WITHOUT_WRITES = {1290, 1792, 1836, 1047, 1053, "attempt to write a readonly database"}
# What somebody has to change before anything can be stored.
_FULL = "The disk of the database is full."
_READ_ONLY = "The database is read-only."
_NOTHING_IS_STORED: dict[object, str] = {
    # MariaDB: disk full. Both servers: table full.
    1021: _FULL,
    1114: _FULL,
    1290: _READ_ONLY,
    1836: _READ_ONLY,
    "database or disk is full": _FULL,
    "attempt to write a readonly database": _READ_ONLY,
    "disk I/O error": "The database cannot use its disk.",
}
# Errors that name the operating system's: 28 is "no space left on device".
_FILE_ERRORS = {3, 1026, 1030}
_NO_SPACE = re.compile(r"\b28\b")
_DEADLOCK = 1213
# Lock wait timeout, deadlock (on a cluster also at the commit), server gone, connection lost or killed,
# statement killed, commit failed, row changed since it was read, table altered or missing (not migrated yet).
_TRANSIENT = (
    {1205, _DEADLOCK, 2006, 2013, 1927, 1317, 1180, 1020, 1412, 1146} | _UNREACHABLE | _WITHOUT_WRITES
)
# Group Replication: conflict at the commit, member leaving. TiDB: conflicts, schema changed, storage down.
_TRANSIENT |= {3100, 3101, 8002, 8022, 8028, 9001, 9002, 9003, 9004, 9005, 9007}
# SQLite has messages instead of codes.
_TRANSIENT |= {"database is locked", "no such table"}
# The schema is missing or of another version. MySQL: no such table, no such column.
_UNMIGRATED = {1146, 1054, "no such table", "no such column"}
# For metrics, in the order in which they are looked for. Busy: no place was free for the request.
BUSY = "busy"
FAILURE_KINDS = (
    "unreachable",
    "not-migrated",
    "nothing-stored",
    "lock",
    "constraint",
    "transient",
    "other",
    BUSY,
)
_NO_COLUMN_TO_WRITE = re.compile("table .* has no column named")
NOT_MIGRATED = "The database is not migrated: run `productator migrate`."


class MissingFile(sqlite3.OperationalError):
    """The file of an SQLite database does not exist."""

    def __init__(self, file: str) -> None:
        # It begins as SQLite says it.
        super().__init__(
            f"unable to open database file: there is none at {file}."
            " Correct DATABASE_URL, or create the database with `productator migrate`"
        )


def is_unmigrated(error: SQLAlchemyError) -> bool:
    """Whether the database lacks the schema of this version."""
    if not isinstance(error, DBAPIError):
        return False
    code = _code(error)
    is_no_column = isinstance(code, str) and _NO_COLUMN_TO_WRITE.match(code) is not None
    return code in _UNMIGRATED or is_no_column or isinstance(error.orig, MissingFile)


def reason(error: SQLAlchemyError) -> str:
    """What the database says, for an operator, and what to run if that helps."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    if is_unmigrated(error) and not isinstance(cause, MissingFile):
        return f"it is not migrated, run `productator migrate` ({cause})"
    return str(cause or error)


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed on a retry."""
    is_known = _code(error) in _TRANSIENT
    return error.connection_invalidated or is_known or why_nothing_is_stored(error) is not None


def why_nothing_is_stored(error: DBAPIError) -> str | None:
    """A sentence, if the database can store nothing until an operator has changed something."""
    code = _code(error)
    if code in _FILE_ERRORS and _NO_SPACE.search(str(error.orig)):
        return _FULL
    return _NOTHING_IS_STORED.get(code)


def is_server_without_writes(error: DBAPIError) -> bool:
    """Whether this server takes no writes now, while another may."""
    return _code(error) in _WITHOUT_WRITES


def is_unreachable(error: DBAPIError) -> bool:
    """Whether the program could not connect at all."""
    return _code(error) in _UNREACHABLE


def is_row_locked(error: DBAPIError) -> bool:
    """Whether another transaction had locked single rows: with NOWAIT at all, else beyond the timeout."""
    return _code(error) in {1205, 3572}


def kind_of(error: DBAPIError) -> str:
    """The first of the FAILURE_KINDS that the error is of."""
    is_of = {
        "unreachable": is_unreachable(error),
        "not-migrated": is_unmigrated(error),
        "nothing-stored": why_nothing_is_stored(error) is not None,
        "lock": is_row_locked(error) or _code(error) in {_DEADLOCK, "database is locked"},
        "constraint": isinstance(error, IntegrityError),
        "transient": is_transient(error),
        "other": True,
    }
    return next(kind for kind in FAILURE_KINDS if is_of[kind])


def _code(error: DBAPIError) -> object:
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return code.partition(":")[0] if isinstance(code, str) else code
