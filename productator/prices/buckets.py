"""Buckets: the figures of each minute, hour, day or week of a price history. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, NamedTuple

from productator.prices.changes import SCALE
from productator.prices.ratio import Ratio
from productator.prices.segments import DAY, SECOND, Segment, TimeRange, new, part

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
    """The figures of [start, end); offers and items are means over all of the time."""

    start: int
    end: int
    prices: Spread | None  # None: nothing was in stock
    offers: Ratio
    items_in_stock: Ratio
    in_stock_share: Ratio


@dataclass(frozen=True, slots=True)
class PriceHistory:
    interval: Interval
    points: list[HistoryPoint]
    # What the next page holds; None: this is all.
    rest: TimeRange | None


class TooManyPoints(Exception):
    """The range has more buckets than an answer may have; the message says what to ask for instead."""

    def __init__(self, number: int, finest: Interval | None) -> None:
        advice = f"the finest interval that fits is {finest}" if finest else "ask for a shorter range"
        super().__init__(f"That would be {number:,} points, more than {MAX_POINTS:,}: {advice}.")


# What is known of a time: a segment, or a point of a whole hour.
Piece = Segment | HistoryPoint


def history_of(known_pieces: Iterator[Piece], end: int, interval: Interval | None) -> PriceHistory:
    """A point for each bucket (aligned to UTC) of which anything is known until `end`.

    Points of hours have to be of days that are known as a whole: then no bucket is shorter than an hour.

    Without an interval it is the finest that fits what is known, so that a short history in a long range is
    shown in detail. A page of raw points ends with its last point. Raises TooManyPoints.
    """
    if interval == "raw":
        pieces = [_point([each]) for each in islice(known_pieces, MAX_POINTS)]
        is_all = not pieces or pieces[-1].end == end
        return PriceHistory("raw", pieces, None if is_all else TimeRange(pieces[-1].end, end))
    first = next(known_pieces, None)
    known = TimeRange(first.start if first else end, end)
    chosen = _fitting(known, interval)
    pieces_of = _cut(chain([first] if first else [], known_pieces), chosen)
    return PriceHistory(chosen, [_point(pieces) for pieces in pieces_of], None)


def _fitting(known: TimeRange, wanted: Interval | None) -> Interval:
    finest = next((interval for interval in _GRIDS if count(known, interval) <= MAX_POINTS), None)
    interval = wanted or finest or "week"
    number = count(known, interval)
    if number > MAX_POINTS:
        raise TooManyPoints(number, finest)
    return interval


def count(known: TimeRange, interval: Interval) -> int:
    """How many buckets the time has a part in."""
    length, offset = _GRIDS[interval]
    return (known.end - 1 - offset) // length - (known.start - offset) // length + 1


def _cut(known_pieces: Iterable[Piece], interval: Interval) -> Iterator[list[Piece]]:
    """The pieces in each bucket."""
    length, offset = _GRIDS[interval]
    pieces: list[Piece] = []
    ends = None
    for piece in known_pieces:
        rest = piece
        if ends is None:
            ends = rest.start + length - (rest.start - offset) % length
        while rest.end > ends:
            # A point of an hour ends where a bucket does, or before.
            if rest.start < ends and isinstance(rest, Segment):
                pieces.append(part(rest, rest.start, ends))
                rest = part(rest, ends, rest.end)
            yield pieces
            pieces, ends = [], ends + length
        pieces.append(rest)
    if pieces:
        yield pieces


def _point(pieces: Sequence[Piece]) -> HistoryPoint:
    if len(pieces) == 1 and isinstance(pieces[0], HistoryPoint):
        return pieces[0]
    points: list[HistoryPoint] = []
    segments: list[Segment] = []
    for piece in pieces:
        if isinstance(piece, Segment):
            segments.append(piece)
            continue
        if segments:
            points.append(_point_of(segments))
            segments = []
        points.append(piece)
    if segments:
        points.append(_point_of(segments))
    return points[0] if len(points) == 1 else _joined(points)


def _joined(points: Sequence[HistoryPoint]) -> HistoryPoint:
    """Of points that follow each other."""
    spreads = [each.prices for each in points if each.prices]
    return HistoryPoint(
        start=points[0].start,
        end=points[-1].end,
        prices=Spread(
            lowest=min([each.lowest for each in spreads]),
            highest=max([each.highest for each in spreads]),
            mean=_sum([each.mean for each in spreads]),
            mean_lowest=_sum([each.mean_lowest for each in spreads]),
        )
        if spreads
        else None,
        offers=_sum([each.offers for each in points]),
        items_in_stock=_sum([each.items_in_stock for each in points]),
        in_stock_share=_sum([each.in_stock_share for each in points]),
    )


def _sum(means: Sequence[Ratio]) -> Ratio:
    """The mean of all: the denominators are the times, in one unit."""
    return Ratio(sum([each.numerator for each in means]), sum([each.denominator for each in means]))


def _point_of(pieces: Sequence[Segment]) -> HistoryPoint:
    """Looks at each segment once: there are thousands."""
    total_in_stock = total_offers = total_items = total_mean = total_mean_lowest = 0
    lowest_price = highest_price = None
    for start, end, lowest, mean_lowest, in_stock, _, highest, mean, offers, items_in_stock in pieces:
        length = end - start
        total_offers += offers * length
        total_items += items_in_stock * length
        if in_stock:
            total_in_stock += in_stock
            total_mean += mean * in_stock
            total_mean_lowest += mean_lowest * in_stock
            if lowest_price is None or lowest < lowest_price:
                lowest_price = lowest
            if highest_price is None or highest > highest_price:
                highest_price = highest
    start, end = pieces[0].start, pieces[-1].end
    prices = None
    if lowest_price is not None and highest_price is not None:
        weight = total_in_stock * SCALE
        mean_ratio = new(Ratio, (total_mean, weight))
        lowest_ratio = new(Ratio, (total_mean_lowest, weight))
        prices = new(Spread, (lowest_price, highest_price, mean_ratio, lowest_ratio))
    whole = (end - start) * SCALE
    offers_ratio, items_ratio = new(Ratio, (total_offers, whole)), new(Ratio, (total_items, whole))
    in_stock_share = new(Ratio, (total_in_stock, end - start))
    return new(HistoryPoint, (start, end, prices, offers_ratio, items_ratio, in_stock_share))
