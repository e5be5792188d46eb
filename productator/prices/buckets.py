"""Points of a price history: what held in each minute, hour, day or week."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from productator.prices.changes import SCALE
from productator.prices.ratio import Ratio
from productator.prices.segments import DAY, SECOND, Segment, part

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


class HistoryPoint(NamedTuple):
    """What held in [start, end); offers and items are means over all of the time."""

    start: int
    end: int
    prices: Spread | None  # None: nothing was in stock
    offers: Ratio
    items_in_stock: Ratio
    in_stock_share: Ratio


def points(segments: Iterable[Segment], interval: Interval) -> Iterator[HistoryPoint]:
    """A point for every interval (aligned to UTC) of which anything is known; the outer ones may be cut."""
    pieces = ([segment] for segment in segments) if interval == "raw" else _cut(segments, interval)
    return map(_point, pieces)


def fitting(start: int, end: int) -> Interval | None:
    """The finest interval that makes at most MAX_POINTS of the time; None: not even weeks do."""
    return next((interval for interval in _GRIDS if count(start, end, interval) <= MAX_POINTS), None)


def count(start: int, end: int, interval: Interval) -> int:
    """How many points the time makes."""
    length, offset = _GRIDS[interval]
    return (end - 1 - offset) // length - (start - offset) // length + 1


def _cut(segments: Iterable[Segment], interval: Interval) -> Iterator[list[Segment]]:
    """The pieces in each interval."""
    length, offset = _GRIDS[interval]
    pieces: list[Segment] = []
    ends = None
    for segment in segments:
        rest = segment
        if ends is None:
            ends = segment.start + length - (segment.start - offset) % length
        while rest.end > ends:
            if rest.start < ends:
                pieces.append(part(rest, rest.start, ends))
                rest = part(rest, ends, rest.end)
            yield pieces
            pieces, ends = [], ends + length
        pieces.append(rest)
    if pieces:
        yield pieces


def _point(segments: Sequence[Segment]) -> HistoryPoint:
    start, end = segments[0].start, segments[-1].end
    in_stock = sum([each.in_stock for each in segments])
    whole = (end - start) * SCALE
    return HistoryPoint(
        start=start,
        end=end,
        prices=_spread([each for each in segments if each.in_stock], in_stock),
        offers=Ratio(sum([each.offers * (each.end - each.start) for each in segments]), whole),
        items_in_stock=Ratio(
            sum([each.items_in_stock * (each.end - each.start) for each in segments]), whole
        ),
        in_stock_share=Ratio(in_stock, end - start),
    )


def _spread(stocked: Sequence[Segment], in_stock: int) -> Spread | None:
    if not stocked:
        return None
    weight = in_stock * SCALE
    return Spread(
        lowest=min([each.lowest for each in stocked]),
        highest=max([each.highest for each in stocked]),
        mean=Ratio(sum([each.mean * each.in_stock for each in stocked]), weight),
        mean_lowest=Ratio(sum([each.mean_lowest * each.in_stock for each in stocked]), weight),
    )
