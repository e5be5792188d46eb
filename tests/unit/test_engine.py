"""Which database errors are retried, how they are counted, and what they show."""

import sqlite3

import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from productator.database.engine import make_engine
from productator.database.failures import is_transient, is_unreachable, kind_of, why_nothing_is_stored


def error_of(
    *arguments: object, error_type: type[DBAPIError] = OperationalError, lost: bool = False
) -> DBAPIError:
    return error_type("UPDATE x", {}, pymysql.MySQLError(*arguments), connection_invalidated=lost)


@pytest.mark.parametrize("code", [1205, 1213, 2006, 2013, 1180, 1317, 2003, 1040, 1053, 1047, 1290, 1792])
def test_errors_that_pass_are_transient(code: int) -> None:
    assert is_transient(error_of(code, "message"))


@pytest.mark.parametrize(
    "error",
    [
        error_of(1045, "Access denied"),
        error_of(1049, "Unknown database"),
        error_of(1062, "Duplicate entry", error_type=IntegrityError),
        error_of(1064, "Syntax error", error_type=ProgrammingError),
        error_of(),
    ],
)
def test_errors_that_stay_are_not_transient(error: DBAPIError) -> None:
    assert not is_transient(error)


def test_a_lost_connection_is_transient_whatever_the_code() -> None:
    assert is_transient(error_of(0, "", lost=True))


@pytest.mark.parametrize(
    "error",
    [
        error_of(1021, "Disk full (./test/products.ibd); waiting for someone to free some space..."),
        error_of(1114, "The table 'products' is full"),
        error_of(1030, 'Got error 28 "No space left on device" from storage engine InnoDB'),
        error_of(3, "Error writing file './binlog' (Errcode: 28 - No space left on device)"),
        OperationalError("UPDATE x", {}, sqlite3.OperationalError("database or disk is full")),
        OperationalError("UPDATE x", {}, sqlite3.OperationalError("disk I/O error")),
    ],
)
def test_a_full_disk_is_transient_and_has_a_reason(error: DBAPIError) -> None:
    assert is_transient(error)
    assert why_nothing_is_stored(error)


def test_other_errors_of_a_storage_engine_have_no_such_reason() -> None:
    error = error_of(1030, "Got error 168 from storage engine InnoDB")

    assert (is_transient(error), why_nothing_is_stored(error)) == (False, None)


@pytest.mark.parametrize(
    ("message", "transient", "unreachable"),
    [
        ("database is locked", True, False),
        ("unable to open database file", True, True),
        ("no such column: colour", False, False),
    ],
)
def test_errors_of_sqlite_are_known_by_their_message(
    message: str, transient: bool, unreachable: bool
) -> None:
    error = OperationalError("UPDATE x", {}, sqlite3.OperationalError(message))

    assert (is_transient(error), is_unreachable(error)) == (transient, unreachable)


def test_errors_show_no_parameters_of_statements() -> None:
    engine = make_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(OperationalError) as raised:
        connection.execute(text("SELECT nothing(:name)"), {"name": "text of a user"})
    engine.dispose()

    assert "SELECT nothing(?)" in str(raised.value)
    assert "text of a user" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2003, "unreachable"),
        (1146, "not-migrated"),
        (1114, "nothing-stored"),
        (1205, "lock"),
        (1213, "lock"),
        (2013, "transient"),
        (1064, "other"),
    ],
)
def test_each_error_is_of_one_kind(code: int, kind: str) -> None:
    assert kind_of(error_of(code, "as the server says it")) == kind
