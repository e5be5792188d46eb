"""SELECTs that are compiled once and run by the driver itself: the reads that clients send most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Select

Row = tuple[Any, ...]
Convert = Callable[[Any], Any]


class Prepared:
    """A statement whose parameters are all named when it runs.

    SQLAlchemy builds a key of the statement, a context and a result each time it runs one. For a read of a
    few rows this costs half as much as all that the driver does. Listeners and errors are those of any other
    statement.
    """

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Row]:
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        parameters = compiled.parameters(values)
        cursor = connection.connection.cursor()
        execution: Any = _Execution()
        call = (connection, cursor, compiled.text, parameters, execution, False)
        try:
            for listener in connection.dispatch.before_cursor_execute:
                listener(*call)
            cursor.execute(compiled.text, parameters)
            rows = cursor.fetchall()
            for listener in connection.dispatch.after_cursor_execute:
                listener(*call)
        except BaseException as error:  # noqa: BLE001 - it is raised again, as after any other statement
            connection._handle_dbapi_exception(error, compiled.text, parameters, cursor, execution)  # noqa: SLF001 - only this finds lost connections
        cursor.close()
        return compiled.converted(rows)

    def _compile(self, dialect: Dialect) -> "_Compiled":
        compiled = self._compiled[dialect.name] = _compiled(self._query, dialect)
        return compiled


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

    def parameters(self, values: Mapping[str, Any]) -> Any:
        given = {name: values[name] if name in values else self.constants[name] for name in self.names}
        for name, convert in self.to_database:
            given[name] = convert(given[name])
        return [given[name] for name in self.names] if self.is_positional else given

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


def _compiled(query: Select[Any], dialect: Dialect) -> _Compiled:
    compiled: Any = query.compile(dialect=dialect)
    to_database = (
        (name, each.type.dialect_impl(dialect).bind_processor(dialect))
        for each, name in compiled.bind_names.items()
    )
    from_database = (
        (number, column.type.dialect_impl(dialect).result_processor(dialect, None))
        for number, column in enumerate(query.selected_columns)
    )
    return _Compiled(
        str(compiled),
        compiled.construct_params(_check=False),
        tuple(compiled.positiontup or compiled.bind_names.values()),
        is_positional=compiled.positional,
        to_database=tuple((name, convert) for name, convert in to_database if convert),
        from_database=tuple((number, convert) for number, convert in from_database if convert),
    )
