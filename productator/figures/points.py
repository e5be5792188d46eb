"""Points of a price history: what held in each minute, hour, day or week."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from productator.figures.ratio import Ratio
from productator.figures.segments import DAY, SECOND, Segment, Stocked, stocked
from productator.history import SCALE

MAX_POINTS = 1000


Interval = Literal["raw", "minute", "hour", "day", "week"]

# From the finest on: the length, and where one begins. The day 0 was a Thursday, and weeks begin on Mondays.
_GRIDS: dict[Interval, tuple[int, int]] = {
    "minute": (60 * SECOND, 0),
    "hour": (3600 * SECOND, 0),
    "day": (DAY, 0),
    "week": (7 * DAY, 4 * DAY),
}


class Spread(NamedTuple):
    """The prices of offers in stock: the extremes reached, and means over the time in stock."""

    lowest: int
    highest: int
    mean: Ratio
    mean_lowest: Ratio


class PricePoint(NamedTuple):
    """What held in [start, end); offers and items are means over all of the time."""

    start: int
    end: int
    prices: Spread | None  # None: nothing was in stock
    offers: Ratio
    items_in_stock: Ratio
    in_stock_share: Ratio


def points(segments: Iterable[Segment], interval: Interval) -> list[PricePoint]:
    """A point for every interval (aligned to UTC) of which anything is known; the outer ones may be cut."""
    if interval == "raw":
        return [_point([segment]) for segment in segments]
    pieces = groupby(_cut(segments, interval), key=lambda piece: _number(piece.start, interval))
    return [_point(list(group)) for _, group in pieces]


def fitting(segments: Sequence[Segment]) -> Interval | None:
    """The finest interval that makes at most MAX_POINTS of them; None: not even weeks do."""
    return next((interval for interval in _GRIDS if count(segments, interval) <= MAX_POINTS), None)


def count(segments: Sequence[Segment], interval: Interval) -> int:
    """How many points there would be."""
    if not segments:
        return 0
    return _number(segments[-1].end - 1, interval) - _number(segments[0].start, interval) + 1


def _number(time: int, interval: Interval) -> int:
    length, offset = _GRIDS[interval]
    return (time - offset) // length


def _cut(segments: Iterable[Segment], interval: Interval) -> Iterator[Segment]:
    length, offset = _GRIDS[interval]
    for segment in segments:
        start = segment.start
        while start < segment.end:
            end = min(segment.end, start + length - (start - offset) % length)
            yield segment.part(start, end)
            start = end


def _point(segments: Sequence[Segment]) -> PricePoint:
    length = segments[-1].end - segments[0].start
    return PricePoint(
        start=segments[0].start,
        end=segments[-1].end,
        prices=_spread(stocked(segments)),
        offers=Ratio(sum(each.offers * each.length for each in segments), length),
        items_in_stock=Ratio(sum(each.items_in_stock * each.length for each in segments), length),
        in_stock_share=Ratio(sum(each.in_stock for each in segments), length),
    )


def _spread(segments: Sequence[Stocked]) -> Spread | None:
    if not segments:
        return None
    weight = sum(segment.in_stock for segment, _ in segments) * SCALE
    return Spread(
        lowest=min(prices.lowest for _, prices in segments),
        highest=max(prices.highest for _, prices in segments),
        mean=Ratio(sum(prices.mean * segment.in_stock for segment, prices in segments), weight),
        mean_lowest=Ratio(sum(prices.mean_lowest * segment.in_stock for segment, prices in segments), weight),
    )
