"""Price histories: what held when, as it was stored."""

import json
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from productator.errors import InvalidInput
from productator.figures.segments import OPEN, SECOND, Prices, Segment, between, microseconds, time_of
from productator.figures.trend import Priced
from productator.history import SCALE
from productator.models import PricePoint
from productator.models.base import JsonRows, MicrosecondsSince1970, UtcDateTime
from productator.services import products

# More records are neither read nor worked through for one answer.
MAX_RECORDS = 100_000


class Record(NamedTuple):
    """A row of `price_points`, of one product; it starts so many microseconds after 1970."""

    start: int
    resolution_s: int
    lowest_price: int | None
    # Whole numbers unless the lowest price is null.
    highest_price: Any
    average_price: Any
    offers: int
    items_in_stock: int
    # Of rolled-up rows only.
    mean_lowest_price: Any
    covered_s: Any
    in_stock_s: Any


def _in_one_text(query: Select[Any]) -> Select[str]:
    return select(JsonRows(*query.subquery().c))


_PRODUCT = PricePoint.product_id == bindparam("product_id")
_START = bindparam("start", type_=UtcDateTime)
# The row that holds at `start`; where nothing is known yet, `start` itself.
_CARRIED_IN = func.coalesce(
    select(func.max(PricePoint.starts_at)).where(_PRODUCT, PricePoint.starts_at <= _START).scalar_subquery(),
    _START,
)
_VALUES = [getattr(PricePoint, name) for name in Record._fields[1:]]
_RANGE = (_PRODUCT, PricePoint.starts_at >= _CARRIED_IN, PricePoint.starts_at < bindparam("end"))
_RECORDS = _in_one_text(
    select(MicrosecondsSince1970(PricePoint.starts_at).label("start"), *_VALUES)
    .where(*_RANGE)
    .order_by(PricePoint.starts_at)
    .limit(bindparam("at_most"))
)

_WITH_THE_ONE_BEFORE = (
    select(
        PricePoint.starts_at,
        *_VALUES,
        func.lag(PricePoint.lowest_price).over(order_by=PricePoint.starts_at).label("lowest_before"),
        func.lag(PricePoint.resolution_s).over(order_by=PricePoint.starts_at).label("resolution_before"),
    )
    .where(*_RANGE)
    .subquery()
)
_EACH = _WITH_THE_ONE_BEFORE.c
# Most records tell of stock and of dearer offers only. What was rolled up is never like the one before.
_MOVES = select(
    MicrosecondsSince1970(_EACH.starts_at).label("start"), *(_EACH[value.name] for value in _VALUES)
).where(
    _EACH.lowest_price.is_distinct_from(_EACH.lowest_before)
    | _EACH.resolution_before.is_distinct_from(0)
    | (_EACH.resolution_s > 0)
)
_OLDEST_MOVES = _in_one_text(_MOVES.order_by(_EACH.starts_at).limit(bindparam("at_most")))
_NEWEST_MOVES = _in_one_text(_MOVES.order_by(_EACH.starts_at.desc()).limit(bindparam("at_most")))
_LOWEST = (
    select(PricePoint.lowest_price, PricePoint.starts_at)
    .where(_PRODUCT, PricePoint.starts_at < bindparam("end"), PricePoint.lowest_price.is_not(None))
    .order_by(PricePoint.lowest_price, PricePoint.starts_at)
    .limit(1)
)


def held(
    connection: Connection, product_id: int, start: int, end: int, *, at_most: int = MAX_RECORDS
) -> list[Segment]:
    """What held in [start, end)."""
    stored = _stored(connection, _RECORDS, product_id, start, end, at_most=at_most + 1)
    return between(_no_more(stored, at_most), start, end)


def first_held(connection: Connection, product_id: int, start: int, end: int, *, count: int) -> list[Segment]:
    """The first `count` segments of what held in [start, end)."""
    # One row more, because it says when the last one ended.
    stored = _stored(connection, _RECORDS, product_id, start, end, at_most=count + 1)
    return between(stored, start, end)[:count]


def moves(
    connection: Connection, product_id: int, start: int, end: int, *, at_most: int = MAX_RECORDS
) -> list[Segment]:
    """What the lowest price was in [start, end); all else in a segment is only how it began."""
    stored = _stored(connection, _OLDEST_MOVES, product_id, start, end, at_most=at_most + 1)
    return between(_no_more(stored, at_most), start, end)


def last_moves(
    connection: Connection, product_id: int, start: int, end: int, *, at_most: int = MAX_RECORDS
) -> list[Segment]:
    """The last of them."""
    stored = _stored(connection, _NEWEST_MOVES, product_id, start, end, at_most=at_most)
    return between(stored, start, end)


def lowest_ever(connection: Connection, product_id: int, end: int) -> Priced | None:
    values = {"product_id": product_id, "end": time_of(end)}
    row = connection.execute(_LOWEST, values).one_or_none()
    return None if row is None else Priced(row.lowest_price, microseconds(row.starts_at))


def _stored(
    connection: Connection, statement: Select[Any], product_id: int, start: int, end: int, *, at_most: int
) -> list[Segment]:
    values = {"product_id": product_id, "start": time_of(start), "end": time_of(end), "at_most": at_most}
    records = [Record(*row) for row in json.loads(connection.scalar(statement, values) or "[]")]
    if not records:
        products.get(connection, product_id)
    return [segment_of(record) for record in sorted(records)]


def _no_more(stored: list[Segment], than: int) -> list[Segment]:
    if len(stored) > than:
        sentence = f"The range holds more than {than:,} records: ask for a shorter one."
        raise InvalidInput([("/from", sentence)])
    return stored


def segment_of(record: Record) -> Segment:
    """What a record says; an OPEN one holds until the next one."""
    if record.resolution_s:
        return _rolled_up(record)
    start, lowest, prices = record.start, record.lowest_price, None
    if lowest is not None:
        prices = Prices(lowest, record.highest_price, record.average_price, lowest * SCALE)
    return Segment(start, OPEN, prices, record.offers, record.items_in_stock, OPEN - start if prices else 0)


def _rolled_up(record: Record) -> Segment:
    prices, end = None, record.start + record.resolution_s * SECOND
    if record.lowest_price is not None:
        prices = Prices(
            record.lowest_price, record.highest_price, record.average_price, record.mean_lowest_price
        )
    # Less than the whole is known only of the time in which a product's history begins.
    start = end - round(record.covered_s * SECOND)
    in_stock = round(record.in_stock_s * SECOND)
    return Segment(start, end, prices, record.offers, record.items_in_stock, in_stock)
