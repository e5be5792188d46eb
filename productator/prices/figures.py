"""What the API answers about prices, each as a finished value: history, trend and summary.

Each function reads several times, so the connection has to see one state in all of its reads.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from productator.prices import day_figures, records
from productator.prices.buckets import MAX_POINTS, Interval, Piece, PriceHistory, history_of
from productator.prices.day_figures import StoredDay, pieces
from productator.prices.segments import DAY, TimeRange
from productator.prices.summary import (
    LENGTH,
    REFERENCE,
    PriceSummary,
    current_price,
    percentile,
    reference_range,
)
from productator.prices.trend import PriceAt, PriceTrend, TrendPart, joined, part_of


def price_history(
    connection: Connection, product_id: int, within: TimeRange, interval: Interval | None
) -> PriceHistory:
    """Raises TooManyPoints."""
    if interval == "raw":
        raw: Iterator[Piece] = records.segments(connection, product_id, within, at_a_time=MAX_POINTS)
        return history_of(raw, within.end, interval)
    days = day_figures.read(connection, product_id, within)
    return history_of(_history_pieces(connection, product_id, within, days), within.end, interval)


def _history_pieces(
    connection: Connection, product_id: int, within: TimeRange, days: Sequence[StoredDay]
) -> Iterator[Piece]:
    for piece in pieces(within, days):
        if isinstance(piece, StoredDay):
            yield from piece.hours
        else:
            yield from records.segments(connection, product_id, piece)


def detailed_history(connection: Connection, product_id: int, within: TimeRange) -> PriceHistory:
    """Raw points if there are few enough, else those of the finest interval that fits."""
    # One more record may hold where the range begins.
    is_long = records.begin_more_than(connection, product_id, within, MAX_POINTS - 1)
    return price_history(connection, product_id, within, None if is_long else "raw")


def price_trend(connection: Connection, product_id: int, within: TimeRange) -> PriceTrend | None:
    """None: nothing is known of that time."""
    return _trend(connection, product_id, within, day_figures.read(connection, product_id, within))


def _trend(
    connection: Connection, product_id: int, within: TimeRange, days: Sequence[StoredDay]
) -> PriceTrend | None:
    def part(piece: StoredDay | TimeRange) -> TrendPart | None:
        if isinstance(piece, StoredDay):
            return piece.trend
        return part_of(records.lowest_prices(connection, product_id, piece))

    parts = [part(piece) for piece in pieces(within, days)]
    return joined([each for each in parts if each])


def price_summary(connection: Connection, product_id: int, now: int) -> PriceSummary:
    days = day_figures.read(connection, product_id, TimeRange(now - LENGTH - REFERENCE, now))

    def lowest(start: int, end: int = now) -> PriceAt | None:
        found = [
            piece.lowest
            if isinstance(piece, StoredDay)
            else records.lowest_price(connection, product_id, piece)
            for piece in pieces(TimeRange(start, end), days)
        ]
        # Of equal prices the first.
        return min((each for each in found if each), default=None)

    trend = _trend(connection, product_id, TimeRange(now - LENGTH, now), days)
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
