"""Bulk writes: many rows in few statements, for thousands of rows a second.

`executemany` sends updates that differ from row to row one by one. Each server has another statement for such
updates, but all of them understand a CASE by the key. Inserts take a third of the processor time that
SQLAlchemy and the driver need, which handle each value on its own: here whole numbers and times, which are
most of the values, are part of the statement, and only the others are parameters.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Integer, Table

from productator.database.column_types import UtcDateTime
from productator.database.prepared import write

# The time for a CASE grows with the square of its length.
_UPDATES_A_STATEMENT = 100
_INSERTS_A_STATEMENT = 1_000
_NULL = "NULL"


def insert_rows(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Inserts `rows`, which have the values of the columns in `names`."""
    _write_rows("INSERT", connection, table, names, rows)


def replace_rows(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Inserts `rows`, in place of rows with the same key."""
    _write_rows("REPLACE", connection, table, names, rows)


def _write_rows(
    verb: str, connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    for some in slices(rows, _INSERTS_A_STATEMENT):
        columns = _columns(connection, table, names, some)
        texts = ", ".join(f"({', '.join(row)})" for row in zip(*(each for each, _ in columns), strict=True))
        parameters = chain.from_iterable(zip(*(each for _, each in columns if each), strict=True))
        statement = f"{verb} INTO {table.name} ({', '.join(names)}) VALUES {texts}"
        write(connection, statement, tuple(parameters))


def update_each(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    counting: str | None = None,
) -> None:
    """Updates a row for each of `rows`: the first of `names`, a number, is the key, and the others are set.

    `counting` names a column that is raised by one.
    """
    key, *others = names
    for some in slices(rows, _UPDATES_A_STATEMENT):
        (keys, _), *columns = _columns(connection, table, names, some)
        settings = [
            f"{name} = {_case(key, keys, texts)}" for name, (texts, _) in zip(others, columns, strict=True)
        ]
        if counting is not None:
            settings.append(f"{counting} = {counting} + 1")
        statement = f"UPDATE {table.name} SET {', '.join(settings)} WHERE {key} IN ({', '.join(keys)})"  # noqa: S608 - see above
        parameters = tuple(chain.from_iterable(each for _, each in columns))
        write(connection, statement, parameters)


def slices(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _columns(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> list[tuple[Sequence[str], Sequence[Any]]]:
    """For each column: the texts of its values in the statement, and its parameters, if any."""
    values = zip(*rows, strict=True)
    return [_column(connection, table.c[name], each) for name, each in zip(names, values, strict=True)]


def _column(
    connection: Connection, column: Column[Any], values: Sequence[Any]
) -> tuple[Sequence[str], Sequence[Any]]:
    if isinstance(column.type, Integer):
        return [_NULL if each is None else f"{each:d}" for each in values], ()
    if isinstance(column.type, UtcDateTime):
        return [_NULL if each is None else _time(each) for each in values], ()
    marker = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return [marker] * len(values), values if process is None else [process(each) for each in values]


def _time(value: datetime) -> str:
    """In the form that all databases read: no zone, and always microseconds, since SQLite compares texts."""
    return f"'{value.astimezone(UTC).isoformat(' ', 'microseconds')[:26]}'"


def _case(key: str, keys: Sequence[str], values: Sequence[str]) -> str:
    return f"CASE {key} {' '.join(map('WHEN {} THEN {}'.format, keys, values))} END"
