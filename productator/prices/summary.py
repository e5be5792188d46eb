"""How a product's lowest price now compares with its past. Pure."""

from dataclasses import dataclass

from productator.prices.ratio import Ratio
from productator.prices.segments import DAY, TimeRange
from productator.prices.trend import PriceAt, PriceTrend

# How far back the past goes that the price now is compared with.
LENGTH = 90 * DAY
REFERENCE = 30 * DAY


@dataclass(frozen=True, slots=True)
class PriceSummary:
    """Prices are None where nothing was in stock."""

    # Of the last 90 days; None: nothing is known of them.
    trend: PriceTrend | None
    current: PriceAt | None
    lowest_7_days: PriceAt | None
    lowest_30_days: PriceAt | None
    lowest_90_days: PriceAt | None
    lowest_all_time: PriceAt | None
    percentile_90_days: Ratio | None
    reference: PriceAt | None


def with_the_past(within: TimeRange) -> TimeRange:
    """The time that a summary at its end is about, and the range itself."""
    return TimeRange(min(within.start, within.end - LENGTH - REFERENCE), within.end)


def current_price(trend: PriceTrend) -> PriceAt | None:
    """The price now, and since when; None: nothing is in stock."""
    return trend.figures.last if trend.figures and trend.stocked_until == trend.end else None


def percentile(trend: PriceTrend, price: int) -> Ratio:
    """For how many percent of the time in stock the product was cheaper."""
    return Ratio(100 * trend.times.until(price - 1), trend.in_stock)


def reference_range(trend: PriceTrend) -> TimeRange | None:
    """The 30 days before the current price was applied; a reduction is measured by their lowest price.

    Running out of stock does not end a reduction: what is sold at the same price again within 30 days is part
    of it. None: there is no current price, or it was applied before the 90 days.
    """
    since = trend.applied_at
    if current_price(trend) is None or since <= trend.end - LENGTH:
        return None
    return TimeRange(since - REFERENCE, since)
