"""Keyset pages: the rows behind a known position, in a total order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select
from sqlalchemy.orm import InstrumentedAttribute

Position = list[int]


@dataclass(frozen=True)
class Order:
    """By `key` (of whole numbers), rows of equal key by `unique`."""

    key: InstrumentedAttribute[int]
    unique: InstrumentedAttribute[int]
    descending: bool = False

    def clauses(self) -> list[ColumnElement[int]]:
        return [column.desc() if self.descending else column.asc() for column in (self.key, self.unique)]

    def behind(self, position: Position) -> ColumnElement[bool]:
        # Written so that the index on `key` bounds the scan: no database here uses one for a comparison of
        # tuples or for the plain "greater, or equal and ...".
        key, unique = position
        if self.descending:
            return (self.key <= key) & ((self.key < key) | (self.unique < unique))
        return (self.key >= key) & ((self.key > key) | (self.unique > unique))

    def position(self, row: Row[Any]) -> Position:
        return [getattr(row, self.key.key), getattr(row, self.unique.key)]


@dataclass(frozen=True)
class Page:
    rows: Sequence[Row[Any]]
    # Where the next page begins; None: this is the last one.
    position: Position | None


def read_page(
    connection: Connection, query: Select[Any], order: Order, *, limit: int, position: Position | None
) -> Page:
    if position is not None:
        query = query.where(order.behind(position))
    # One row more than asked for tells whether there is a next page.
    rows = connection.execute(query.order_by(*order.clauses()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return Page(rows, None)
    return Page(rows[:limit], order.position(rows[limit - 1]))
