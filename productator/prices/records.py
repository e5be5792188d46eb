"""Reads the price points of a product in a range of time, as segments."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from productator.catalogue import products
from productator.database.column_types import CommaJoined, MicrosecondsSince1970, UtcDateTime
from productator.models import PricePoint
from productator.prices.changes import SCALE
from productator.prices.segments import (
    SECOND,
    LowestPrice,
    Segment,
    TimeRange,
    between,
    microseconds,
    new,
    time_of,
)
from productator.prices.trend import PriceAt

# Their text is up to 1.7 MB long, and a session takes 3 MiB (`LONGEST_TEXT_BYTES`).
RECORDS_A_READ = 10_000

# The numbers of a row of `price_points`, its start first. A rolled-up row has more of them than a raw one.
PointNumbers = Sequence[Any]

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
# A row without the flag was written by an older version: its mean is more than the lowest price if that did
# not hold without a break.
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
class _RecordColumns:
    """The columns that are read of each record beside its start."""

    raw: Sequence[Any]
    rolled_up: Sequence[Any]

    @property
    def raw_width(self) -> int:
        return 1 + len(self.raw)

    @cached_property
    def texts(self) -> Select[str, str]:
        """All raw records as one text and all rolled-up ones as another: a fraction of what rows cost."""
        is_raw = PricePoint.resolution_s == 0
        raw = CommaJoined(is_raw, _SINCE_1970, *self.raw)
        rolled_up = CommaJoined(~is_raw, _SINCE_1970, *self.rolled_up)
        return select(raw, rolled_up).where(*_RANGE)

    def read(self, connection: Connection, product_id: int, within: TimeRange) -> list[PointNumbers]:
        raw, rolled_up = connection.execute(self.texts, _parameters(product_id, within)).one()
        found = chain(_parsed(raw, self.raw_width), _parsed(rolled_up, 1 + len(self.rolled_up)))
        return sorted(found, key=itemgetter(0))


def _parsed(text: str | None, width: int) -> Iterable[PointNumbers]:
    numbers = iter(json.loads(f"[{text or ''}]"))
    return zip(*[numbers] * width, strict=True)


_OF_THE_LOWEST = _RecordColumns(
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
_ALL = _RecordColumns(
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


def segments(
    connection: Connection, product_id: int, within: TimeRange, *, at_a_time: int = RECORDS_A_READ
) -> Iterator[Segment]:
    """The segments of the range, from the first time that is known; raises ProductNotFound."""
    for page in _pages(connection, product_id, within, count=at_a_time):
        yield from between(segments_of(_ALL.read(connection, product_id, page), page.end), within)


def lowest_prices(
    connection: Connection, product_id: int, within: TimeRange, *, at_a_time: int = RECORDS_A_READ
) -> Iterator[LowestPrice]:
    """The same of the lowest price only, which is less to read."""
    for page in _pages(connection, product_id, within, count=at_a_time):
        numbers = _OF_THE_LOWEST.read(connection, product_id, page)
        yield from between(lowest_prices_of(numbers, page.end), within)


def begin_more_than(connection: Connection, product_id: int, within: TimeRange, count: int) -> bool:
    """Whether more than so many records begin in the range."""
    return connection.scalar(_FOLLOWING, _parameters(product_id, within) | {"count": count}) is not None


def lowest_price(connection: Connection, product_id: int, within: TimeRange) -> PriceAt | None:
    """The lowest in the range; None: nothing was in stock."""
    row = connection.execute(_LOWEST, _parameters(product_id, within)).one_or_none()
    if row is None:
        return None
    began = row.start
    if row.resolution_s:
        # Where a product's history begins, only the last part of a rolled-up time is known.
        began += row.resolution_s * SECOND - round(row.covered_s * SECOND)
    return PriceAt(row.lowest_price, max(began, within.start))


def _pages(connection: Connection, product_id: int, within: TimeRange, *, count: int) -> Iterator[TimeRange]:
    """Ranges that so many records begin in; the first one begins with the record that holds at its start."""
    since = _first(connection, product_id, within)
    while since is not None and since < within.end:
        rest = TimeRange(since, within.end)
        following = connection.scalar(_FOLLOWING, _parameters(product_id, rest) | {"count": count})
        until = within.end if following is None else microseconds(following)
        yield TimeRange(since, until)
        since = until


def _first(connection: Connection, product_id: int, within: TimeRange) -> int | None:
    """When the first record of the range begins; None: there is none."""
    parameters = _parameters(product_id, within)
    carried_in = connection.scalar(_CARRIED_IN, parameters)
    first = carried_in or connection.scalar(_FOLLOWING, parameters | {"count": 0})
    if first is None:
        products.get(connection, product_id)
        return None
    return microseconds(first)


def _parameters(product_id: int, within: TimeRange) -> dict[str, Any]:
    return {"product_id": product_id, "start": time_of(within.start), "end": time_of(within.end)}


def lowest_prices_of(found: Sequence[PointNumbers], until: int) -> list[LowestPrice]:
    """A raw record holds until the next one starts, the last one until `until`."""
    prices, raw_width = [], _OF_THE_LOWEST.raw_width
    for numbers, end in zip(found, _ends(found, until), strict=True):
        if len(numbers) > raw_width:
            prices.append(_rolled_up(numbers))
            continue
        start, lowest = numbers
        if lowest is None:
            prices.append(new(LowestPrice, (start, end, 0, 0, 0, False)))
        else:
            prices.append(new(LowestPrice, (start, end, lowest, lowest * SCALE, end - start, True)))
    return prices


def segments_of(found: Sequence[PointNumbers], until: int) -> list[Segment]:
    """The same with all that is known of a product."""
    segments, raw_width = [], _ALL.raw_width
    for numbers, end in zip(found, _ends(found, until), strict=True):
        if len(numbers) > raw_width:
            *_, highest, mean, offers, items = numbers
            segments.append(Segment(*_rolled_up(numbers), highest or 0, mean or 0, offers, items))
            continue
        start, lowest, highest, mean, offers, items = numbers
        offers, items = offers * SCALE, items * SCALE
        if lowest is None:
            fields = (start, end, 0, 0, 0, False, 0, 0, offers, items)
        else:
            fields = (start, end, lowest, lowest * SCALE, end - start, True, highest, mean, offers, items)
        segments.append(new(Segment, fields))
    return segments


def _ends(found: Sequence[PointNumbers], until: int) -> list[int]:
    return [*(numbers[0] for numbers in found), until][1:]


def _rolled_up(numbers: PointNumbers) -> LowestPrice:
    start, resolution_s, covered_s, in_stock_s, lowest, mean_lowest, is_unbroken, *_ = numbers
    end = start + resolution_s * SECOND
    begins = end - round(covered_s * SECOND)
    in_stock = round(in_stock_s * SECOND)
    return LowestPrice(begins, end, lowest or 0, mean_lowest or 0, in_stock, bool(is_unbroken))
