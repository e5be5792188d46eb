"""What is asked about the prices of a product, each as a finished value: history, trend and summary."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from sqlalchemy import Connection

from productator.prices import day_figures, records
from productator.prices.buckets import MAX_POINTS, Interval, Piece, PriceHistory, history_of
from productator.prices.day_figures import StoredDay, pieces
from productator.prices.records import RECORDS_A_READ
from productator.prices.segments import DAY, AnySegment, LowestPrice, Segment, TimeRange
from productator.prices.summary import (
    LENGTH,
    PriceSummary,
    current_price,
    percentile,
    reference_range,
    with_the_past,
)
from productator.prices.trend import PriceAt, PriceTrend, joined, part_of


class PriceFigures:
    """Of one product. What several of them need is read once: the days, and the records of a day's part.

    Each reads several times, so the connection has to see one state in all of its reads.
    """

    def __init__(self, connection: Connection, product_id: int, *, days_of: TimeRange | None = None) -> None:
        """`days_of`: the time that all figures together are about, if several are asked for."""
        self._connection = connection
        self._product_id = product_id
        self._days_of = days_of
        self._days_read: tuple[TimeRange, list[StoredDay]] | None = None
        self._segments_read: dict[TimeRange, list[Segment]] = {}
        self._lowest_read: dict[TimeRange, list[LowestPrice]] = {}

    def history(self, within: TimeRange, interval: Interval | None) -> PriceHistory:
        """Raises TooManyPoints."""
        if interval == "raw":
            raw: Iterator[Piece] = records.segments(
                self._connection, self._product_id, within, at_a_time=MAX_POINTS
            )
            return history_of(raw, within.end, interval)
        return history_of(self._history_pieces(within, self._days(within)), within.end, interval)

    def detailed_history(self, within: TimeRange) -> PriceHistory:
        """Raw points if there are few enough, else those of the finest interval that fits."""
        # One more record may hold where the range begins.
        is_long = records.begin_more_than(self._connection, self._product_id, within, MAX_POINTS - 1)
        return self.history(within, None if is_long else "raw")

    def trend(self, within: TimeRange) -> PriceTrend | None:
        """None: nothing is known of that time."""
        return self._trend(within, self._days(within))

    def summary(self, now: int) -> PriceSummary:
        days = self._days(with_the_past(TimeRange(now, now)))

        def lowest(start: int, end: int = now) -> PriceAt | None:
            found = [self._lowest_of(piece) for piece in pieces(TimeRange(start, end), days)]
            # Of equal prices the first.
            return min((each for each in found if each), default=None)

        trend = self._trend(TimeRange(now - LENGTH, now), days)
        current = current_price(trend) if trend else None
        reference = reference_range(trend) if trend else None
        of_90_days = trend.figures.lowest if trend and trend.figures else None
        older = lowest(0, now - LENGTH)
        return PriceSummary(
            trend=trend,
            current=current,
            lowest_7_days=lowest(now - 7 * DAY),
            lowest_30_days=lowest(now - 30 * DAY),
            lowest_90_days=of_90_days,
            # Of equal prices the first.
            lowest_all_time=min((each for each in (of_90_days, older) if each), default=None),
            percentile_90_days=percentile(trend, current.price) if trend and current else None,
            reference=lowest(*reference) if reference else None,
        )

    def _history_pieces(self, within: TimeRange, days: Sequence[StoredDay]) -> Iterator[Piece]:
        for piece in pieces(within, days):
            yield from piece.hours if isinstance(piece, StoredDay) else self._segments(piece)

    def _trend(self, within: TimeRange, days: Sequence[StoredDay]) -> PriceTrend | None:
        parts = [
            piece.trend if isinstance(piece, StoredDay) else part_of(self._lowest_prices(piece))
            for piece in pieces(within, days)
        ]
        return joined([each for each in parts if each])

    def _lowest_of(self, piece: StoredDay | TimeRange) -> PriceAt | None:
        if isinstance(piece, StoredDay):
            return piece.lowest
        if piece not in self._segments_read and piece not in self._lowest_read:
            return records.lowest_price(self._connection, self._product_id, piece)
        prices = self._lowest_prices(piece)
        return min((PriceAt(each.lowest, each.start) for each in prices if each.in_stock), default=None)

    def _days(self, within: TimeRange) -> list[StoredDay]:
        """Perhaps more of them than lie in the range."""
        if self._days_read:
            read, days = self._days_read
            if read.start <= within.start and within.end <= read.end:
                return days
        wanted = within
        if self._days_of and self._days_of.end >= within.end:
            wanted = TimeRange(min(within.start, self._days_of.start), self._days_of.end)
        days = day_figures.read(self._connection, self._product_id, wanted)
        self._days_read = wanted, days
        return days

    def _segments(self, within: TimeRange) -> Iterable[Segment]:
        known = self._segments_read.get(within)
        if known is not None:
            return known
        found = records.segments(self._connection, self._product_id, within)
        return _kept(found, self._segments_read, within)

    def _lowest_prices(self, within: TimeRange) -> Iterable[LowestPrice]:
        known = self._lowest_read.get(within)
        if known is not None:
            return known
        segments = self._segments_read.get(within)
        if segments is None:
            found = records.lowest_prices(self._connection, self._product_id, within)
            return _kept(found, self._lowest_read, within)
        self._lowest_read[within] = [LowestPrice(*each[:6]) for each in segments]
        return self._lowest_read[within]


def _kept(
    found: Iterator[AnySegment], kept: dict[TimeRange, list[AnySegment]], within: TimeRange
) -> Iterable[AnySegment]:
    """Keeps what was found, unless it is too much for the memory."""
    first = list(islice(found, RECORDS_A_READ))
    if len(first) == RECORDS_A_READ:
        return chain(first, found)
    kept[within] = first
    return first
