"""What the API answers about prices, each as a finished value: history, trend and summary.

Each function reads several times, so the connection has to see one state in all of its reads.
"""

from sqlalchemy import Connection

from productator.prices import records
from productator.prices.buckets import MAX_POINTS, Interval, PriceHistory, history_of
from productator.prices.segments import DAY, TimeRange
from productator.prices.summary import LENGTH, PriceSummary, current_price, percentile, reference_range
from productator.prices.trend import PriceAt, PriceTrend, trend_of


def price_history(
    connection: Connection, product_id: int, within: TimeRange, interval: Interval | None
) -> PriceHistory:
    """Raises TooManyPoints."""
    at_a_time = MAX_POINTS if interval == "raw" else records.RECORDS_A_READ
    segments = records.segments(connection, product_id, within, at_a_time=at_a_time)
    return history_of(segments, within.end, interval)


def detailed_history(connection: Connection, product_id: int, within: TimeRange) -> PriceHistory:
    """Raw points if there are few enough, else those of the finest interval that fits."""
    # One more record may hold where the range begins.
    is_long = records.begin_more_than(connection, product_id, within, MAX_POINTS - 1)
    return price_history(connection, product_id, within, None if is_long else "raw")


def price_trend(connection: Connection, product_id: int, within: TimeRange) -> PriceTrend | None:
    """None: nothing is known of that time."""
    return trend_of(records.lowest_prices(connection, product_id, within))


def price_summary(connection: Connection, product_id: int, now: int) -> PriceSummary:
    def lowest(start: int, end: int = now) -> PriceAt | None:
        return records.lowest_price(connection, product_id, TimeRange(start, end))

    trend = price_trend(connection, product_id, TimeRange(now - LENGTH, now))
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
