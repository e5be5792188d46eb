"""Search: each term of the query must begin a word of the product's name."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, case, false, func, select
from sqlalchemy import text as sql
from sqlalchemy.dialects.mysql import match

from productator.database.keyset import Order, Position
from productator.models import Product, search_terms

# A search scans this many rows for each row of the page before it asks the full-text index.
ROWS_SCANNED = 100
# The full-text index is asked for one of this many longest terms.
_CANDIDATES = 8
_WORDS = cast("Table", Product.__table__).c.words
_FULL_TEXT_INDEX = sql(
    "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()"
    " AND table_name = 'products' AND index_type = 'FULLTEXT' LIMIT 1"
)
_FULL_TEXT: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()
# Many texts are compared with many names.
_query_terms = lru_cache(maxsize=20_000)(search_terms.query_terms)
_index_terms = lru_cache(maxsize=1_000)(search_terms.index_terms)


class Search(NamedTuple):
    """The condition that a text sets, and whether its rows are found by the full-text index."""

    condition: ColumnElement[bool]
    is_by_index: bool


def condition(
    connection: Connection, text: str, order: Order, *, limit: int, position: Position | None
) -> ColumnElement[bool]:
    return search(connection, text, order, limit=limit, position=position).condition


def search(
    connection: Connection, text: str, order: Order, *, limit: int, position: Position | None
) -> Search:
    """The search in the form that costs least for this page of the list.

    A full-text index takes longer the more rows have the term, however short the page is. A scan of the list
    that leaves out the other rows takes longer the fewer rows match.
    """
    terms = search_terms.query_terms(text)
    if not terms:
        return Search(false(), is_by_index=False)
    has_all = and_(*(_begins_a_word(term) for term in terms))
    if connection.dialect.name == "sqlite":  # it has no such index, and few products
        return Search(has_all, is_by_index=False)
    if not _has_full_text_index(connection):
        return Search(Product.name.startswith(text.strip(), autoescape=True), is_by_index=False)
    rarest = _rarest(connection, terms, order, limit=limit, position=position)
    if rarest is None:
        return Search(has_all, is_by_index=False)
    by_index = match(_WORDS, against=f"+{rarest}*", in_boolean_mode=True)
    return Search(and_(by_index, has_all), is_by_index=True)


def _has_full_text_index(connection: Connection) -> bool:
    """Not so on TiDB and Vitess, where the index of names still finds those that begin with the text."""
    # The answer of a server does not change while a program runs.
    if connection.engine not in _FULL_TEXT:
        _FULL_TEXT[connection.engine] = connection.scalar(_FULL_TEXT_INDEX) is not None
    return _FULL_TEXT[connection.engine]


def matches(text: str, name: str) -> bool:
    """Whether the search finds a product of that name."""
    terms, words = _query_terms(text), _index_terms(name)
    return bool(terms) and all(term in words for term in terms)


def _rarest(
    connection: Connection, terms: Sequence[str], order: Order, *, limit: int, position: Position | None
) -> str | None:
    """The term that fewest of the next rows have; None: those rows are enough for the page."""
    scanned = limit * ROWS_SCANNED
    have = [_begins_a_word(term) for term in terms]
    # Truth values instead of texts: MariaDB keeps these rows in memory, where long texts do not fit.
    next_rows = (
        select(*(has.label(None) for has in (and_(*have), *have[:_CANDIDATES])))
        .order_by(*order.clauses())
        .limit(scanned)
    )
    if position is not None:
        next_rows = next_rows.where(order.behind())
    found = next_rows.subquery()
    counts = select(func.count(), *(func.count(case((has, 1))) for has in found.c)).select_from(found)
    rows, with_all, *with_each = connection.execute(counts, order.values(position)).one()
    if with_all > limit or rows < scanned:
        return None
    return terms[with_each.index(min(with_each))]


def _begins_a_word(term: str) -> ColumnElement[bool]:
    return func.instr(_WORDS, term) > 0
