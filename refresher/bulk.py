"""Updates of many rows that each get values of their own, some hundred in a statement.

Sent one by one, as `executemany` does, they cost a round trip each; what the servers have for the purpose
differs from one to the next. A CASE by the key is understood by all of them.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table

# The work for a CASE grows with the square of its length.
_ROWS_A_STATEMENT = 100


def update_each(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    counting: str | None = None,
) -> None:
    """Of each row of `rows`: the value of the first column of `names` is the key, the others are set.

    `counting` names a column that goes up by one.
    """
    marker = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for some in slices(rows, _ROWS_A_STATEMENT):
        columns = zip(*some, strict=True)
        keys, *values = (
            _bound(table.c[name], each, connection.dialect) for name, each in zip(names, columns, strict=True)
        )
        cases = (part for each in values for pair in zip(keys, each, strict=True) for part in pair)
        statement = _statement(table.name, tuple(names), counting, len(some), marker)
        connection.exec_driver_sql(statement, (*cases, *keys))


def slices(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _bound(column: Column[Any], values: Sequence[Any], dialect: Dialect) -> Sequence[Any]:
    """The values as the driver takes them."""
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    return values if process is None else [process(value) for value in values]


@cache
def _statement(table: str, names: tuple[str, ...], counting: str | None, rows: int, marker: str) -> str:
    """The names are those of our own tables; every value is a parameter."""
    key, *columns = names
    case = f"CASE {key}{f' WHEN {marker} THEN {marker}' * rows} END"
    settings = [f"{column} = {case}" for column in columns]
    if counting is not None:
        settings.append(f"{counting} = {counting} + 1")
    keys = ", ".join([marker] * rows)
    return f"UPDATE {table} SET {', '.join(settings)} WHERE {key} IN ({keys})"  # noqa: S608 - see above
