"""Segments: the prices and the stock of stretches of time, without gap or overlap. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


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
    length = segment.end - segment.start
    before = segment.in_stock * (start - segment.start) // length
    until = segment.in_stock * (end - segment.start) // length
    return segment._replace(start=start, end=end, in_stock=until - before)


def between(segments: Iterable[AnySegment], within: TimeRange) -> Iterator[AnySegment]:
    """The segments, or parts of them, that lie in the range."""
    start, end = within
    for each in segments:
        if start <= each.start and each.end <= end:
            yield each
        elif each.start < end and start < each.end and start < end:
            yield part(each, max(each.start, start), min(each.end, end))


def microseconds(time: datetime) -> int:
    """Since 1970: all times of this package are whole numbers, so that no length of time is rounded."""
    return (time - EPOCH) // MICROSECOND


def time_of(since_1970: int) -> datetime:
    return EPOCH + since_1970 * MICROSECOND
