"""Segments: the prices and the stock of stretches of time, without gap or overlap. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple, TypeVar

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Makes a named tuple in a third of the time that calling its class takes, for very many of them.
new = tuple.__new__

_START, _END = itemgetter(0), itemgetter(1)


class TimeRange(NamedTuple):
    """The time [start, end)."""

    start: int
    end: int


class LowestPrice(NamedTuple):
    """A product's lowest price in the time [start, end), of offers in stock.

    Of a segment that was rolled up: the lowest that was reached, and the mean over the time in stock.
    """

    start: int
    end: int
    # These three mean nothing while nothing is in stock.
    lowest: int
    mean_lowest: int  # in 1/SCALE, as it is stored
    in_stock: int  # for how long anything was: all of the time or none, or any part if it was rolled up
    # Whether the lowest price held from the start until stock ran out, if it did.
    is_unbroken: bool


class Segment(NamedTuple):
    """All that is known of a product in the time [start, end); the first fields are a `LowestPrice`."""

    start: int
    end: int
    lowest: int
    mean_lowest: int
    in_stock: int
    is_unbroken: bool
    highest: int
    mean: int  # of the offers' average price, in 1/SCALE
    # Over all of the time, in 1/SCALE.
    offers: int
    items_in_stock: int


AnySegment = TypeVar("AnySegment", LowestPrice, Segment)


def part(segment: AnySegment, start: int, end: int) -> AnySegment:
    """The segment of a part of the time, with its share of the time in stock."""
    first, last, lowest, mean_lowest, in_stock, *others = segment
    length = last - first
    if in_stock == length:
        share = end - start
    else:
        share = in_stock * (end - first) // length - in_stock * (start - first) // length
    return new(type(segment), (start, end, lowest, mean_lowest, share, *others))


def between(segments: Sequence[AnySegment], within: TimeRange) -> Sequence[AnySegment]:
    """The segments, or parts of them, that lie in the range; the segments are in the order of their times."""
    start, end = within
    if start >= end:
        return []
    first = bisect_right(segments, start, key=_END)
    found = list(segments[first : bisect_left(segments, end, key=_START)])
    if found:
        # Only these may begin before the range or end after it.
        for number in (0, -1):
            each = found[number]
            found[number] = part(each, max(each.start, start), min(each.end, end))
    return found


def microseconds(time: datetime) -> int:
    """Since 1970: all times of this package are whole numbers, so that no length of time is rounded."""
    return (time - EPOCH) // MICROSECOND


def time_of(since_1970: int) -> datetime:
    return EPOCH + since_1970 * MICROSECOND
