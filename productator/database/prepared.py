"""Statements that are compiled once and run by the driver itself: those that clients cause most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    insert,
)
from sqlalchemy.sql.selectable import CompoundSelect

Row = tuple[Any, ...]
Convert = Callable[[Any], Any]
Query = Select[Any] | CompoundSelect[Any]
Write = Insert | Update | Delete


class Written(NamedTuple):
    """What a write did: the rows that it met, and the id of the one that it inserted."""

    rows: int
    last_id: int


class Prepared:
    """A statement whose parameters are all named when it runs.

    SQLAlchemy builds a key of the statement, a context and a result each time it runs one. For a few rows
    this costs half as much as all that the driver does. Listeners and errors are those of any other
    statement.
    """

    def __init__(self, statement: Query | Write) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Row]:
        compiled = self._compiled_for(connection.dialect)
        cursor = execute(connection, *compiled.with_values(values))
        rows = cursor.fetchall()
        cursor.close()
        return compiled.converted(rows)

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Written:
        cursor = execute(connection, *self._compiled_for(connection.dialect).with_values(values))
        written = Written(cursor.rowcount, cursor.lastrowid)
        cursor.close()
        return written

    def _compiled_for(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compiled(self._statement, dialect)
        return found


def insert_into(table: Table, *names: str) -> Prepared:
    """Inserts a row; each parameter has the name of its column. Other columns get their defaults."""
    return Prepared(insert(table).values({name: bindparam(name) for name in names}))


def execute(connection: Connection, text: str, parameters: Any) -> Any:
    """Runs a statement as the driver takes it, in the connection's transaction; returns the cursor, open."""
    cursor = connection.connection.cursor()
    execution: Any = _Execution()
    call = (connection, cursor, text, parameters, execution, False)
    try:
        for listener in connection.dispatch.before_cursor_execute:
            listener(*call)
        cursor.execute(text, parameters)
        for listener in connection.dispatch.after_cursor_execute:
            listener(*call)
    except BaseException as error:  # noqa: BLE001 - it is raised again, as after any other statement
        connection._handle_dbapi_exception(error, text, parameters, cursor, execution)  # noqa: SLF001 - only this finds lost connections
    return cursor


class _Execution:
    """What listeners and the handling of errors know of an execution; listeners note their times here."""

    executemany = False
    exception: BaseException | None = None

    def handle_dbapi_exception(self, error: BaseException) -> None:
        """Nothing is left to undo."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    # The values that the statement itself gives.
    constants: Mapping[str, Any]
    # The names of the parameters; those of markers without a name are in their order.
    names: tuple[str, ...]
    is_positional: bool
    to_database: tuple[tuple[str, Convert], ...]
    # By the number of the column.
    from_database: tuple[tuple[int, Convert], ...]
    # The parameters that are part of the text, by their place in it.
    literals: tuple[tuple[str, str, Convert], ...]

    def with_values(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """The text and the parameters for the driver."""
        given = {name: values[name] if name in values else self.constants[name] for name in self.names}
        for name, convert in self.to_database:
            given[name] = convert(given[name])
        text = self.text
        for place, name, convert in self.literals:
            text = text.replace(place, convert(values[name]))
        return text, [given[name] for name in self.names] if self.is_positional else given

    def converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        if not self.from_database:
            return rows
        found = []
        for row in rows:
            values = list(row)
            for number, convert in self.from_database:
                values[number] = convert(values[number])
            found.append(tuple(values))
        return found


def _compiled(statement: Query | Write, dialect: Dialect) -> _Compiled:
    compiled: Any = statement.compile(dialect=dialect)
    literals = {each.key: each for each in compiled.literal_execute_params}
    ordinary = {name: each for each, name in compiled.bind_names.items() if name not in literals}
    from_database = (
        (number, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for number, column in enumerate(getattr(statement, "selected_columns", ()))
    )
    to_database = (
        (name, each.type.dialect_impl(dialect).bind_processor(dialect)) for name, each in ordinary.items()
    )
    return _Compiled(
        str(compiled),
        compiled.construct_params(_check=False) | _defaults(compiled),
        tuple(name for name in compiled.positiontup or ordinary if name not in literals),
        is_positional=compiled.positional,
        to_database=tuple((name, convert) for name, convert in to_database if convert),
        from_database=tuple((number, convert) for number, convert in from_database if convert),
        literals=tuple(_literal(each, dialect) for each in literals.values()),
    )


def _defaults(compiled: Any) -> dict[str, Any]:
    """Of the columns that an INSERT does not name. Raises ValueError for one that is computed."""
    for column in compiled.insert_prefetch:
        if not column.default.is_scalar:
            raise ValueError(f"An INSERT that is prepared has to name {column}, whose default is computed.")
    return {column.key: column.default.arg for column in compiled.insert_prefetch}


def _literal(parameter: BindParameter[Any], dialect: Dialect) -> tuple[str, str, Convert]:
    convert: Any = parameter.type.literal_processor(dialect)
    return f"__[POSTCOMPILE_{parameter.key}]", parameter.key, convert
