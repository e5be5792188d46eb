"""Keyset pages: the rows behind a known position, in a total order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeGuard, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, String
from sqlalchemy.orm import InstrumentedAttribute

from productator.database.column_types import UtcDateTime
from productator.domain import MAX_ID

Item = TypeVar("Item")
Other = TypeVar("Other")

# The key of the last row shown, and its id, as JSON keeps them exactly.
Position = list[int | str]


@dataclass(frozen=True)
class Order:
    """By `key` as the database compares it; rows of equal key by `unique`."""

    key: InstrumentedAttribute[Any]
    unique: InstrumentedAttribute[int]
    descending: bool = False
    # Whether the key may be a negative number.
    is_signed: bool = False

    def clauses(self) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in (self.key, self.unique)]

    def behind(self, position: Position) -> ColumnElement[bool]:
        # No database here uses an index to compare tuples, so the comparison is spelt out: its first part
        # bounds the scan on SQLite, and its third part lets MySQL begin within a run of equal keys.
        key, unique = self._key(position[0]), position[1]
        if self.descending:
            return (self.key <= key) & ((self.key < key) | ((self.key == key) & (self.unique < unique)))
        return (self.key >= key) & ((self.key > key) | ((self.key == key) & (self.unique > unique)))

    def position(self, row: object) -> Position:
        """Of a row that has the keys as attributes."""
        key = getattr(row, self.key.key)
        return [key.isoformat() if isinstance(key, datetime) else key, getattr(row, self.unique.key)]

    def accepts(self, position: object) -> TypeGuard[Position]:
        """Whether what a client sent can be a position in this order."""
        match position:
            case [key, unique]:
                return _accepts(self.key, key, lowest=-MAX_ID if self.is_signed else 0) and _accepts(
                    self.unique, unique
                )
        return False

    def _key(self, key: int | str) -> int | str | datetime:
        return datetime.fromisoformat(str(key)) if isinstance(self.key.type, UtcDateTime) else key


def _accepts(column: InstrumentedAttribute[Any], value: object, *, lowest: int = 0) -> bool:
    """Whether it is a value of the column, as a position keeps it."""
    if isinstance(column.type, UtcDateTime):
        return isinstance(value, str) and _is_utc_time(value)
    if isinstance(column.type, String):
        return isinstance(value, str) and _is_unicode(value)
    return type(value) is int and lowest <= value <= MAX_ID  # True is an int, too


def _is_utc_time(text: str) -> bool:
    try:
        return text.endswith("+00:00") and datetime.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_unicode(text: str) -> bool:
    """JSON can name halves of characters, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def orders(unique: InstrumentedAttribute[int], **keys: InstrumentedAttribute[Any]) -> dict[str, Order]:
    """The orders of a list by name: each key, and `-key` for the other direction."""
    upwards = {name: Order(key, unique) for name, key in keys.items()}
    return upwards | {f"-{name}": Order(key, unique, descending=True) for name, key in keys.items()}


@dataclass(frozen=True)
class Page(Generic[Item]):
    rows: Sequence[Item]
    # The next page begins behind this position; None: this is the last page.
    position: Position | None

    def map(self, make: Callable[[Item], Other]) -> "Page[Other]":
        return Page([make(row) for row in self.rows], self.position)


def read_page(
    connection: Connection, query: Select[Any], order: Order, *, limit: int, position: Position | None
) -> Page[Row[Any]]:
    if position is not None:
        query = query.where(order.behind(position))
    # One row more than asked for shows whether there is a next page.
    rows = connection.execute(query.order_by(*order.clauses()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], order.position(rows[limit - 1]))
