"""Which failures of the database are worth another try."""

import sqlite3

import pymysql
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from productator.database.failures import is_out_of_reach, is_transient


def told(*arguments: object, kind: type[DBAPIError] = OperationalError, lost: bool = False) -> DBAPIError:
    return kind("UPDATE x", {}, pymysql.MySQLError(*arguments), connection_invalidated=lost)


@pytest.mark.parametrize("code", [1205, 1213, 2006, 2013, 1180, 1317, 2003, 1040, 1053, 1047, 1290, 1792])
def test_failures_that_pass_are_transient(code: int) -> None:
    assert is_transient(told(code, "words"))


@pytest.mark.parametrize(
    "error",
    [
        told(1045, "Access denied"),
        told(1049, "Unknown database"),
        told(1062, "Duplicate entry", kind=IntegrityError),
        told(1064, "Syntax error", kind=ProgrammingError),
        told(),
    ],
)
def test_failures_that_stay_are_not_transient(error: DBAPIError) -> None:
    assert not is_transient(error)


def test_a_lost_connection_is_transient_whatever_the_code() -> None:
    assert is_transient(told(0, "", lost=True))


@pytest.mark.parametrize(
    ("words", "transient", "out_of_reach"),
    [
        ("database is locked", True, False),
        ("unable to open database file", True, True),
        ("no such column: colour", False, False),
    ],
)
def test_sqlite_tells_its_failures_in_words(words: str, transient: bool, out_of_reach: bool) -> None:
    error = OperationalError("UPDATE x", {}, sqlite3.OperationalError(words))

    assert (is_transient(error), is_out_of_reach(error)) == (transient, out_of_reach)
