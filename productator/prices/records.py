"""Reading what held when, as it was stored."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from productator.catalogue import products
from productator.database.column_types import CommaJoined, MicrosecondsSince1970, UtcDateTime
from productator.models import PricePoint
from productator.prices.changes import SCALE
from productator.prices.segments import SECOND, LowestPrice, Segment, between, microseconds, time_of
from productator.prices.trend import Priced

# Their text is half a megabyte long, and never longer than a server lets through that nobody has set up.
RECORDS_A_TIME = 10_000

# A third of the time that calling the class takes, for very many records.
_new = tuple.__new__

# A row of `price_points` as it is read, its start first. Those that were rolled up are longer than raw ones.
Record = Sequence[Any]

_PRODUCT = PricePoint.product_id == bindparam("product_id")
_START, _END = (bindparam(name, type_=UtcDateTime) for name in ("start", "end"))
_RANGE = (_PRODUCT, PricePoint.starts_at >= _START, PricePoint.starts_at < _END)
# When the record began that holds at `start`.
_CARRIED_IN = select(func.max(PricePoint.starts_at)).where(_PRODUCT, PricePoint.starts_at <= _START)
_FOLLOWING = (
    select(PricePoint.starts_at)
    .where(*_RANGE)
    .order_by(PricePoint.starts_at)
    .offset(bindparam("count"))
    .limit(1)
)
_SINCE_1970 = MicrosecondsSince1970(PricePoint.starts_at)
# Older versions made the mean more than the lowest price where that did not hold throughout.
IS_UNBROKEN = func.coalesce(
    PricePoint.is_unbroken, PricePoint.mean_lowest_price == PricePoint.lowest_price * SCALE
)
_LOWEST = (
    select(PricePoint.lowest_price, _SINCE_1970.label("start"), PricePoint.resolution_s, PricePoint.covered_s)
    .where(
        _PRODUCT,
        PricePoint.starts_at >= func.coalesce(_CARRIED_IN.scalar_subquery(), _START),
        PricePoint.starts_at < _END,
        PricePoint.lowest_price.is_not(None),
    )
    .order_by(PricePoint.lowest_price, PricePoint.starts_at)
    .limit(1)
)


@dataclass(frozen=True)
class _Columns:
    """What is read of each record beside its start."""

    raw: Sequence[Any]
    rolled_up: Sequence[Any]

    @property
    def raw_width(self) -> int:
        return 1 + len(self.raw)

    @cached_property
    def texts(self) -> Select[str, str]:
        """The numbers of all records of a kind in a text, which costs a fraction of what rows would."""
        is_raw = PricePoint.resolution_s == 0
        raw = CommaJoined(is_raw, _SINCE_1970, *self.raw)
        rolled_up = CommaJoined(~is_raw, _SINCE_1970, *self.rolled_up)
        return select(raw, rolled_up).where(*_RANGE)

    def records(self, connection: Connection, product_id: int, start: int, end: int) -> list[Record]:
        raw, rolled_up = connection.execute(self.texts, _range(product_id, start, end)).one()
        found = chain(_parsed(raw, self.raw_width), _parsed(rolled_up, 1 + len(self.rolled_up)))
        return sorted(found, key=itemgetter(0))


def _parsed(text: str | None, width: int) -> Iterable[Record]:
    numbers = iter(json.loads(f"[{text or ''}]"))
    return zip(*[numbers] * width, strict=True)


_OF_THE_LOWEST = _Columns(
    [PricePoint.lowest_price],
    [
        PricePoint.resolution_s,
        PricePoint.covered_s,
        PricePoint.in_stock_s,
        PricePoint.lowest_price,
        PricePoint.mean_lowest_price,
        IS_UNBROKEN,
    ],
)
_ALL = _Columns(
    [
        *_OF_THE_LOWEST.raw,
        PricePoint.highest_price,
        PricePoint.average_price,
        PricePoint.offers,
        PricePoint.items_in_stock,
    ],
    [
        *_OF_THE_LOWEST.rolled_up,
        PricePoint.highest_price,
        PricePoint.average_price,
        # Older versions kept no means of these.
        func.coalesce(PricePoint.mean_offers, PricePoint.offers * SCALE),
        func.coalesce(PricePoint.mean_items_in_stock, PricePoint.items_in_stock * SCALE),
    ],
)


def held(
    connection: Connection, product_id: int, start: int, end: int, *, at_a_time: int = RECORDS_A_TIME
) -> Iterator[Segment]:
    """What held in [start, end), from the first time on that anything is known."""
    for since, until in _pages(connection, product_id, start, end, count=at_a_time):
        records = _ALL.records(connection, product_id, since, until)
        yield from between(segments(records, until), start, end)


def lowest_prices(
    connection: Connection, product_id: int, start: int, end: int, *, at_a_time: int = RECORDS_A_TIME
) -> Iterator[LowestPrice]:
    """What the lowest price was in [start, end): less to read than all that `held` tells."""
    for since, until in _pages(connection, product_id, start, end, count=at_a_time):
        records = _OF_THE_LOWEST.records(connection, product_id, since, until)
        yield from between(lowest_only(records, until), start, end)


def lowest_price(connection: Connection, product_id: int, start: int, end: int) -> Priced | None:
    """The lowest in [start, end); None: nothing was in stock."""
    row = connection.execute(_LOWEST, _range(product_id, start, end)).one_or_none()
    if row is None:
        return None
    began = row.start
    if row.resolution_s:
        # Less than the whole is known only of the time in which a product's history begins.
        began += row.resolution_s * SECOND - round(row.covered_s * SECOND)
    return Priced(row.lowest_price, max(began, start))


def _pages(
    connection: Connection, product_id: int, start: int, end: int, *, count: int
) -> Iterator[tuple[int, int]]:
    """Times that so many records begin in, the first with what holds at `start`; raises ProductNotFound."""
    since = _first(connection, product_id, start, end)
    while since is not None and since < end:
        following = connection.scalar(_FOLLOWING, _range(product_id, since, end) | {"count": count})
        until = end if following is None else microseconds(following)
        yield since, until
        since = until


def _first(connection: Connection, product_id: int, start: int, end: int) -> int | None:
    """When the first record of the range begins; None: there is none."""
    carried_in = connection.scalar(_CARRIED_IN, _range(product_id, start, end))
    first = carried_in or connection.scalar(_FOLLOWING, _range(product_id, start, end) | {"count": 0})
    if first is None:
        products.get(connection, product_id)
        return None
    return microseconds(first)


def _range(product_id: int, start: int, end: int) -> dict[str, Any]:
    return {"product_id": product_id, "start": time_of(start), "end": time_of(end)}


def lowest_only(records: Iterable[Record], until: int) -> Iterator[LowestPrice]:
    """A raw record holds until the next one starts, the last one until `until`."""
    for record, following in pairwise([*records, (until,)]):
        if len(record) > _OF_THE_LOWEST.raw_width:
            yield _rolled_up(record)
            continue
        start, lowest = record
        end = following[0]
        if lowest is None:
            yield _new(LowestPrice, (start, end, 0, 0, 0, False))
        else:
            yield _new(LowestPrice, (start, end, lowest, lowest * SCALE, end - start, True))


def segments(records: Iterable[Record], until: int) -> Iterator[Segment]:
    """The same with all that is told of a product."""
    for record, following in pairwise([*records, (until,)]):
        if len(record) > _ALL.raw_width:
            *_, highest, mean, offers, items = record
            yield Segment(*_rolled_up(record), highest or 0, mean or 0, offers, items)
            continue
        start, lowest, highest, mean, offers, items = record
        end = following[0]
        offers, items = offers * SCALE, items * SCALE
        if lowest is None:
            yield _new(Segment, (start, end, 0, 0, 0, False, 0, 0, offers, items))
        else:
            of_prices = (lowest, lowest * SCALE, end - start, True, highest, mean)
            yield _new(Segment, (start, end, *of_prices, offers, items))


def _rolled_up(record: Record) -> LowestPrice:
    start, resolution_s, covered_s, in_stock_s, lowest, mean_lowest, is_unbroken, *_ = record
    end = start + resolution_s * SECOND
    begins = end - round(covered_s * SECOND)
    in_stock = round(in_stock_s * SECOND)
    return LowestPrice(begins, end, lowest or 0, mean_lowest or 0, in_stock, bool(is_unbroken))
