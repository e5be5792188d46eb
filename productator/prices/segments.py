"""What held when: stretches of time without gap or overlap."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class LowestPrice(NamedTuple):
    """A product's lowest price in the time [start, end), of offers in stock.

    Of a stretch that was rolled up, the lowest that was reached, and the mean over the time in stock.
    """

    start: int
    end: int
    # These say nothing while nothing is in stock.
    lowest: int
    mean_lowest: int  # in 1/SCALE, as it is stored
    in_stock: int  # for how long anything was: all of the time or none, or any part if it was rolled up
    # Whether the lowest price held from the start until nothing was in stock any more, if ever.
    is_unbroken: bool


class Segment(NamedTuple):
    """All that is told of a product in the time [start, end): see `LowestPrice`."""

    start: int
    end: int
    lowest: int
    mean_lowest: int
    in_stock: int
    is_unbroken: bool
    highest: int
    mean: int  # of the offers' average price, in 1/SCALE
    # Of all the time, in 1/SCALE.
    offers: int
    items_in_stock: int


Stretch = TypeVar("Stretch", LowestPrice, Segment)


def part(stretch: Stretch, start: int, end: int) -> Stretch:
    """What held in a part of the time; its share of the time in stock is the part's of the whole."""
    length = stretch.end - stretch.start
    before = stretch.in_stock * (start - stretch.start) // length
    until = stretch.in_stock * (end - stretch.start) // length
    return stretch._replace(start=start, end=end, in_stock=until - before)


def between(stretches: Iterable[Stretch], start: int, end: int) -> Iterator[Stretch]:
    """What of them is in [start, end)."""
    for each in stretches:
        if start <= each.start and each.end <= end:
            yield each
        elif each.start < end and start < each.end and start < end:
            yield part(each, max(each.start, start), min(each.end, end))


def microseconds(time: datetime) -> int:
    """Since 1970, as all times are counted here."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(since_1970: int) -> datetime:
    return _EPOCH + since_1970 * _MICROSECOND
