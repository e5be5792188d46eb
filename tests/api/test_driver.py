"""Connections that read results with less work give what PyMySQL's own give."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT, FIELD_TYPE
from sqlalchemy import Engine, make_url

from productator.database.driver import LeanConnection
from tests.round_trips import commands

pytestmark = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)

_STATEMENTS = [
    "SELECT 1 AS one",
    "SELECT NULL AS nothing, '' AS blank, -9223372036854775808 AS lowest, 18446744073709551615 AS highest",
    "SELECT 1.50 AS exact, 1.5e0 AS floating",
    "SELECT TIMESTAMP'2026-11-23 20:28:55.485399' AS time, DATE'2026-11-23' AS day",
    "SELECT 'Kävézó ☕' AS text, CAST('bytes' AS BINARY) AS bytes, JSON_ARRAY(1, 'a') AS json",
    *(
        f"SELECT 'before' AS before_it, REPEAT('x', {size}) AS text, 7 AS after_it"
        for size in (250, 251, 300, 70_000)
    ),
    "SELECT 1 AS one UNION ALL SELECT NULL UNION ALL SELECT 3",
    "SELECT 1 AS one FROM (SELECT 1) AS nothing WHERE FALSE",
    # More packets than have numbers of their own, in more pieces than one.
    "SELECT seconds.n + 1000 * firsts.n, REPEAT('x', firsts.n * seconds.n % 300) FROM "
    + " CROSS JOIN ".join(
        "(" + " UNION ALL ".join(f"SELECT {number} AS n" for number in range(25)) + f") AS {name}"
        for name in ("firsts", "seconds")
    ),
    # A row that begins with NULL, and some that are longer than what arrives at once.
    "SELECT NULL AS nothing, REPEAT('x', 9000) AS text UNION ALL SELECT 1, 'short' UNION ALL SELECT NULL, ''",
    # More than is read at once.
    "SELECT " + ", ".join(f"{number} AS `column {number}`" for number in range(300)),
]


@pytest.fixture
def connections(engine: Engine) -> Iterator[tuple[LeanConnection, Any]]:
    url = make_url(engine.url)
    options: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "database": url.database,
    }
    options["password"] = url.password or ""
    options["client_flag"] = CLIENT.MULTI_STATEMENTS
    with closing(LeanConnection(**options)) as lean, closing(pymysql.connect(**options)) as plain:
        yield lean, plain


def _read(connection: Any, statement: str) -> tuple[Any, Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.description, cursor.fetchall()


@pytest.mark.parametrize("statement", _STATEMENTS)
def test_results_are_those_of_the_plain_driver_each_time(
    connections: tuple[LeanConnection, Any], statement: str
) -> None:
    lean, plain = connections
    expected = _read(plain, statement)

    assert [_read(lean, statement) for _ in range(3)] == [expected] * 3


def test_all_results_of_several_statements_are_read_with_their_warnings(
    connections: tuple[LeanConnection, Any],
) -> None:
    def read(connection: Any) -> list[tuple[Any, int]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1; SELECT CAST('many' AS SIGNED), CAST('few' AS SIGNED); SELECT 3")
            found = [(cursor.fetchall(), cursor.warning_count)]
            while cursor.nextset():
                found.append((cursor.fetchall(), cursor.warning_count))
            return found

    lean, plain = connections
    expected = [(((1,),), 0), (((0, 0),), 2), (((3,),), 0)]

    assert [read(plain), read(lean), read(lean)] == [expected] * 3


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"INSERT INTO counted (id, name) VALUES ({first}, 'x')"
            for first in (1, 250, 251, 65_535, 65_536, 16_777_215, 16_777_216, 2**40, 2**63 - 1)
        ),
        "INSERT INTO counted (name) SELECT name FROM ("
        + " UNION ALL ".join(["SELECT 'x' AS name"] * 300)
        + ") AS x",
        "INSERT IGNORE INTO counted (id, name) VALUES (1, 'x'), (1, 'y')",
        "UPDATE counted SET name = 'y'",
        "UPDATE counted SET name = 'too long for the column' WHERE id < 0",
        "DELETE FROM counted",
        "DO 1",
        "SET @x = 1",
    ],
)
def test_what_a_write_did_is_that_of_the_plain_driver(
    connections: tuple[LeanConnection, Any], statement: str
) -> None:
    def write(connection: Any) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE counted (id BIGINT AUTO_INCREMENT PRIMARY KEY, name CHAR(1))"
            )
            cursor.execute("INSERT INTO counted (id, name) VALUES (1000, 'z')")
            cursor.execute(statement)
            did = (cursor.rowcount, cursor.lastrowid, cursor.warning_count, cursor.fetchall())
            cursor.execute("SELECT COUNT(*) FROM counted")
            return *did, cursor.fetchall()

    lean, plain = connections

    assert write(lean) == write(plain)


@pytest.mark.parametrize("size", [0, 2, 4, 5, 10])
def test_an_answer_of_which_only_a_part_has_arrived_is_read_whole(
    connections: tuple[LeanConnection, Any], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    lean, plain = connections
    arrived = LeanConnection.arrived
    monkeypatch.setattr(LeanConnection, "arrived", lambda connection: arrived(connection)[:size])

    for statement in ("DO 1", "SELECT 1 UNION ALL SELECT 2"):
        assert _read(lean, statement) == _read(plain, statement)


@pytest.mark.parametrize("value", [0, -1, 2**64, True, None, 1.5, "it's \\ 100 %", b"\x00'", [1, "a"]])
def test_a_value_is_written_as_by_the_plain_driver(
    connections: tuple[LeanConnection, Any], value: Any
) -> None:
    lean, plain = connections

    assert lean.escape(value) == plain.escape(value)


def test_statements_in_turn_do_not_take_each_others_columns(connections: tuple[LeanConnection, Any]) -> None:
    lean, plain = connections
    statements = [f"SELECT {number} AS {name}" for number in range(20) for name in ("id", "id_of_another")]
    expected = [_read(plain, each) for each in statements]

    assert [_read(lean, each) for each in statements * 2] == expected * 2


def test_a_column_of_another_type_is_read_as_that(connections: tuple[LeanConnection, Any]) -> None:
    lean, _ = connections
    _read(lean, "CREATE TEMPORARY TABLE counts (number BIGINT)")
    _read(lean, "INSERT INTO counts VALUES (12)")
    for _ in range(2):
        assert _read(lean, "SELECT number FROM counts")[1] == ((12,),)

    _read(lean, "ALTER TABLE counts MODIFY number VARCHAR(20)")

    assert _read(lean, "SELECT number FROM counts")[1] == (("12",),)


def test_no_more_than_some_descriptions_are_kept(connections: tuple[LeanConnection, Any]) -> None:
    lean, _ = connections

    for number in range(100):
        _read(lean, f"SELECT 1 AS column_{number}")

    assert 0 < len(lean.known_columns[1]) < 20


def test_an_error_after_known_columns_is_raised_and_the_connection_goes_on(
    connections: tuple[LeanConnection, Any],
) -> None:
    lean, _ = connections
    numbers = "SELECT 1 AS n UNION ALL SELECT {}"
    two_if_n_is_2 = "SELECT n UNION ALL SELECT 2 FROM (SELECT 1) AS x WHERE n = 2"
    fails_at_its_second_row = f"SELECT ({two_if_n_is_2}) AS one FROM ({numbers}) AS numbers"
    for _ in range(2):
        assert _read(lean, fails_at_its_second_row.format(1))[1]

    with pytest.raises(pymysql.OperationalError, match="more than 1 row"):
        _read(lean, fails_at_its_second_row.format(2))

    assert _read(lean, "SELECT 1")[1] == ((1,),)


def test_a_connection_with_a_value_that_cannot_be_converted_is_not_used_again(
    connections: tuple[LeanConnection, Any],
) -> None:
    lean, _ = connections

    def refuse_two(value: str) -> int:
        if int(value) == 2:
            raise ValueError
        return int(value)

    lean.decoders = {**lean.decoders, FIELD_TYPE.LONG: refuse_two, FIELD_TYPE.LONGLONG: refuse_two}
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        _read(lean, "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3")

    with pytest.raises(pymysql.InterfaceError):
        _read(lean, "SELECT 4")


def test_a_connection_that_is_lost_raises_the_error_of_the_plain_driver(
    connections: tuple[LeanConnection, Any],
) -> None:
    lean, plain = connections
    _read(lean, "SELECT SLEEP(0) AS slept")
    _read(plain, f"KILL {lean.thread_id()}")

    with pytest.raises(pymysql.OperationalError, match=r"Lost connection|gone away"):
        _read(lean, "SELECT SLEEP(0) AS slept")


def test_an_answer_that_is_late_raises_the_error_of_the_plain_driver(
    connections: tuple[LeanConnection, Any],
) -> None:
    lean, _ = connections
    _read(lean, "SELECT SLEEP(0) AS slept")
    lean._read_timeout = 1  # noqa: SLF001 - as productator/database/use.py does

    with pytest.raises(pymysql.OperationalError, match="Lost connection"):
        _read(lean, "SELECT SLEEP(3) AS slept")


def test_nothing_is_rolled_back_after_a_commit(
    connections: tuple[LeanConnection, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lean, _ = connections
    sent = commands(monkeypatch)
    _read(lean, "SELECT 1")
    lean.commit()
    lean.rollback()
    _read(lean, "SELECT 2")
    lean.rollback()
    lean.rollback()

    assert sent == ["SELECT 1", "COMMIT", "SELECT 2", "ROLLBACK"]


def test_what_follows_a_commit_that_failed_is_rolled_back(connections: tuple[LeanConnection, Any]) -> None:
    lean, plain = connections
    lean.commit()
    _read(plain, f"KILL {lean.thread_id()}")
    with pytest.raises(pymysql.OperationalError):
        lean.commit()

    with pytest.raises(pymysql.MySQLError):
        lean.rollback()


def test_rows_are_no_answer_to_a_commit(
    connections: tuple[LeanConnection, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lean, _ = connections
    execute = LeanConnection._execute_command  # noqa: SLF001 - what the driver sends
    monkeypatch.setattr(
        LeanConnection, "_execute_command", lambda self, number, _: execute(self, number, "SELECT 1")
    )

    with pytest.raises(pymysql.OperationalError, match="not the answer"):
        lean.commit()

    assert not lean.open
