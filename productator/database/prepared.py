"""Statements that are compiled once and run by the driver itself: those that clients cause most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

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
Query = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
Write = Insert | Update | Delete
Result = TypeVar("Result")


class Written(NamedTuple):
    """What a write did."""

    # Those that it inserted, deleted or found to update, also if they stayed as they were.
    rows: int
    # Of the row that an INSERT inserted.
    last_id: int


class Prepared:
    """A statement that gets values for its parameters each time it runs; a missing one raises KeyError.

    SQLAlchemy builds a key of the statement, a context and a result each time it runs one. For a few rows
    this costs about as much as all that the driver does. Listeners before and after each statement, and of
    errors, hear of these, too. Errors are the same.
    """

    def __init__(self, statement: Query | Write) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Row]:
        """Of a SELECT: within the connection's transaction, if it is in one; it begins none."""
        compiled = self._compiled_for(connection.dialect)
        return compiled.converted(_run(connection, *compiled.with_values(values), _all_rows))

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Written:
        """Of any other statement: within the connection's transaction, which it begins if need be."""
        return write(connection, *self._compiled_for(connection.dialect).with_values(values))

    def _compiled_for(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compiled(self._statement, dialect)
        return found


def insert_into(table: Table, *names: str) -> Prepared:
    """An INSERT of one row, with a parameter for each named column. Others get their defaults."""
    return Prepared(insert(table).values({name: bindparam(name) for name in names}))


def write(connection: Connection, text: str, parameters: Any) -> Written:
    """Runs a statement as the driver takes it, in the connection's transaction, or begins one."""
    if not connection.in_transaction():
        connection.begin()
    return _run(connection, text, parameters, _written)


def _run(connection: Connection, text: str, parameters: Any, result: Callable[[Any], Result]) -> Result:
    driver = connection.connection
    execution: Any = _Execution()
    cursor: Any = None
    try:
        cursor = driver.cursor()
        call = (connection, cursor, text, parameters, execution, False)
        for listener in connection.dispatch.before_cursor_execute:
            listener(*call)
        cursor.execute(text, parameters)
        # SQLite looks for a row when it is fetched: that takes time, and may fail.
        found = result(cursor)
        for listener in connection.dispatch.after_cursor_execute:
            listener(*call)
        cursor.close()
    except BaseException as error:  # noqa: BLE001 - it is raised again, as after any other statement
        connection._handle_dbapi_exception(error, text, parameters, cursor, execution)  # noqa: SLF001 - only this finds lost connections
    return found


def _all_rows(cursor: Any) -> Sequence[Row]:
    return cursor.fetchall()  # type: ignore[no-any-return]


def _written(cursor: Any) -> Written:
    return Written(cursor.rowcount, cursor.lastrowid)


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
    # The parameters that become part of the text: the marker there, the name, and what makes the text.
    literals: tuple[tuple[str, str, Convert], ...]

    def with_values(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        """The text and the parameters for the driver."""
        given = {name: values[name] if name in values else self.constants[name] for name in self.names}
        for name, convert in self.to_database:
            given[name] = convert(given[name])
        text = self.text
        for marker, name, convert in self.literals:
            text = text.replace(marker, convert(values[name]))
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
    _require_simple(compiled)
    literals = {each.key: each for each in compiled.literal_execute_params}
    ordinary = {name: each for each, name in compiled.bind_names.items() if name not in literals}
    defaults = {column.key: column.default.arg for column in compiled.insert_prefetch}
    from_database = (
        (number, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for number, column in enumerate(getattr(statement, "selected_columns", ()))
    )
    to_database = (
        (name, each.type.dialect_impl(dialect).bind_processor(dialect)) for name, each in ordinary.items()
    )
    return _Compiled(
        str(compiled),
        {name: each.effective_value for name, each in ordinary.items() if not each.required} | defaults,
        tuple(name for name in compiled.positiontup or ordinary if name not in literals),
        is_positional=compiled.positional,
        to_database=tuple((name, convert) for name, convert in to_database if convert),
        from_database=tuple((number, convert) for number, convert in from_database if convert),
        literals=tuple(_literal(each, dialect) for each in literals.values()),
    )


def _require_simple(compiled: Any) -> None:
    """Raises ValueError for what only SQLAlchemy's own execution can do."""
    computed = [each for each in compiled.insert_prefetch if not each.default.is_scalar]
    if computed or compiled.update_prefetch:
        column = (*computed, *compiled.update_prefetch)[0]
        raise ValueError(f"This statement has to name {column}, whose value would be computed.")
    if compiled.post_compile_params:
        raise ValueError("A list in a prepared statement has to be one of `in_list`.")
    if compiled.effective_returning:
        raise ValueError("A prepared statement cannot return what it wrote.")


def _literal(parameter: BindParameter[Any], dialect: Dialect) -> tuple[str, str, Convert]:
    convert: Any = parameter.type.literal_processor(dialect)
    return f"__[POSTCOMPILE_{parameter.key}]", parameter.key, convert
