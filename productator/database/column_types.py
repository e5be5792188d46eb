"""Column types and SQL functions that behave the same on every database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

BigId = BigInteger().with_variant(Integer, "sqlite")


def exact_text(length: int) -> TypeEngine[str]:
    """ASCII text compared byte by byte, for identifiers."""
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


class MicrosecondsSince1970(FunctionElement[int]):
    """The value of a UtcDateTime column as a number."""

    inherit_cache = True
    type = BigInteger()


@compiles(MicrosecondsSince1970)
def _microseconds_on_servers(element: MicrosecondsSince1970, compiler: SQLCompiler, **options: Any) -> str:
    return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {compiler.process(element.clauses, **options)})"


@compiles(MicrosecondsSince1970, "sqlite")
def _microseconds_on_sqlite(element: MicrosecondsSince1970, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite stores it as text: 2026-11-23 20:28:55.485399.
    column = compiler.process(element.clauses, **options)
    return f"(CAST(strftime('%s', {column}) AS INTEGER) * 1000000 + CAST(substr({column}, 21) AS INTEGER))"


class CommaJoined(FunctionElement[str]):
    """The values of all rows that meet the condition (the first argument), in one text, in no order.

    Numbers are read ten times as fast this way. Nulls are written as in JSON.
    """

    inherit_cache = True
    type = Text()


@compiles(CommaJoined)
def _joined_on_servers(element: CommaJoined, compiler: SQLCompiler, **options: Any) -> str:
    condition, values = _condition_and_values(element, compiler, options)
    # As arguments of GROUP_CONCAT, the values would be computed for the other rows, too.
    return f"GROUP_CONCAT(CASE WHEN {condition} THEN CONCAT({f', {_COMMA}, '.join(values)}) END)"


@compiles(CommaJoined, "sqlite")
def _joined_on_sqlite(element: CommaJoined, compiler: SQLCompiler, **options: Any) -> str:
    condition, values = _condition_and_values(element, compiler, options)
    return f"group_concat(CASE WHEN {condition} THEN {f' || {_COMMA} || '.join(values)} END)"


_COMMA = "','"


def _condition_and_values(
    element: CommaJoined, compiler: SQLCompiler, options: dict[str, Any]
) -> tuple[str, list[str]]:
    condition, *values = (compiler.process(each, **options) for each in element.clauses)
    return condition, [f"IFNULL({each}, 'null')" for each in values]


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes in code, naive UTC with microseconds in the column."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the signature of the base class
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:  # noqa: ARG002 - the signature of the base class
        # The driver of servers gives aware times already: see the engine's options.
        return _from_sqlite if dialect.name == "sqlite" else None


def _from_sqlite(text: str | None) -> datetime | None:
    return None if text is None else utc_time(text)


def utc_time(text: str) -> datetime:
    """The time that a database writes as 2026-11-23 20:28:55.485399."""
    return datetime.fromisoformat(f"{text}+00:00")


class ServerTime(FunctionElement[datetime]):
    """The database server's clock, which all programs share; null on SQLite, which has no server."""

    inherit_cache = True
    type = UtcDateTime()


@compiles(ServerTime)
def _time_on_servers(element: ServerTime, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ARG001 - the signature that @compiles calls
    return "UTC_TIMESTAMP(6)"


@compiles(ServerTime, "sqlite")
def _time_on_sqlite(element: ServerTime, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ARG001 - the signature that @compiles calls
    return "NULL"
