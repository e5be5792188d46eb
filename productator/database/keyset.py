"""Keyset pages: the rows behind a known position, in a total order."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Generic, TypeGuard, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, String, bindparam
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

    def behind(self) -> ColumnElement[bool]:
        """Whether a row is behind the position whose parameters `values` gives."""
        # No database here uses an index to compare tuples, so the comparison is spelt out: its first part
        # bounds the scan on SQLite, and its third part lets MySQL begin within a run of equal keys.
        key, unique = bindparam("last_key", type_=self.key.type), bindparam("last_id", type_=self.unique.type)
        if self.descending:
            return (self.key <= key) & ((self.key < key) | ((self.key == key) & (self.unique < unique)))
        return (self.key >= key) & ((self.key > key) | ((self.key == key) & (self.unique > unique)))

    def values(self, position: Position | None) -> dict[str, Any]:
        return {} if position is None else {"last_key": self._key(position[0]), "last_id": position[1]}

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


def page_query(query: Select[Any], order: Order, *, is_first: bool) -> Select[Any]:
    """The query of one page, whose parameters `page_values` gives."""
    if not is_first:
        query = query.where(order.behind())
    return query.order_by(*order.clauses()).limit(bindparam("rows", type_=Integer()))


def page_values(order: Order, *, limit: int, position: Position | None) -> dict[str, Any]:
    # One row more than asked for shows whether there is a next page.
    return {"rows": limit + 1, **order.values(position)}


def cut_page(rows: Sequence[Item], order: Order, *, limit: int) -> Page[Item]:
    """The page, from the rows of its query."""
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], order.position(rows[limit - 1]))


def cut_json_page(objects: Sequence[str], order: Order, *, limit: int) -> Page[str]:
    """The same of JSON objects whose members have the names of the columns."""
    if len(objects) <= limit:
        return Page(objects, None)
    return Page(objects[:limit], order.position(SimpleNamespace(**json.loads(objects[limit - 1]))))


def read_page(
    connection: Connection, query: Select[Any], order: Order, *, limit: int, position: Position | None
) -> Page[Row[Any]]:
    values = page_values(order, limit=limit, position=position)
    rows = connection.execute(page_query(query, order, is_first=position is None), values).all()
    return cut_page(rows, order, limit=limit)
