"""Which products a search finds: those in whose names each of its words begins a word."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, Connection, Table, and_, case, false, func, select
from sqlalchemy.dialects.mysql import match

from productator.database.keyset import Order, Position
from productator.models import Product, search_terms

# How many rows are looked at for each one that a page may hold, before the full-text index is asked.
ROWS_LOOKED_AT = 100
# How many of the words, the longest ones, may be the one that the full-text index is asked for.
_CANDIDATES = 8
_WORDS = cast("Table", Product.__table__).c.words


def condition(
    connection: Connection, text: str, order: Order, *, limit: int, position: Position | None
) -> ColumnElement[bool]:
    """What the text asks of a product, put in the way that costs least for this page of the list.

    A full-text index takes longer the more rows have the word, however few are wanted. Reading on in the
    list and leaving out what does not match takes longer the fewer there are.
    """
    wanted = search_terms.wanted(text)
    if not wanted:
        return false()
    everything = and_(*(_begins_a_word(word) for word in wanted))
    if connection.dialect.name == "sqlite":  # has no such index
        return everything
    rarest = _rarest(connection, wanted, order, limit=limit, position=position)
    if rarest is None:
        return everything
    return and_(match(_WORDS, against=f"+{rarest}*", in_boolean_mode=True), everything)


def _rarest(
    connection: Connection, wanted: Sequence[str], order: Order, *, limit: int, position: Position | None
) -> str | None:
    """The word that fewest of the next rows have; None: those rows are enough for the page."""
    looked_at = limit * ROWS_LOOKED_AT
    have = [_begins_a_word(word) for word in wanted]
    # Truth values rather than the words: MariaDB keeps the rows in memory, which long texts do not fit into.
    next_rows = (
        select(*(has.label(None) for has in (and_(*have), *have[:_CANDIDATES])))
        .order_by(*order.clauses())
        .limit(looked_at)
    )
    if position is not None:
        next_rows = next_rows.where(order.behind(position))
    found = next_rows.subquery()
    counts = select(func.count(), *(func.count(case((has, 1))) for has in found.c)).select_from(found)
    rows, with_all, *with_each = connection.execute(counts).one()
    if with_all > limit or rows < looked_at:
        return None
    return wanted[with_each.index(min(with_each))]


def _begins_a_word(word: str) -> ColumnElement[bool]:
    return func.instr(_WORDS, word) > 0
