"""Figures of a product's price: its course, and how it stands now."""

from dataclasses import dataclass

from sqlalchemy import Connection

from productator.prices import standing
from productator.prices.ratio import Ratio
from productator.prices.records import lowest_price, lowest_prices
from productator.prices.segments import DAY
from productator.prices.trend import Course, Priced, follow


@dataclass(frozen=True, slots=True)
class Summary:
    """How a product's lowest price stands now; None where nothing was in stock."""

    # Of the time that the price now is held against; None: nothing is known of it.
    course: Course | None
    current: Priced | None
    lowest_7_days: Priced | None
    lowest_30_days: Priced | None
    lowest_90_days: Priced | None
    lowest_all_time: Priced | None
    percentile_90_days: Ratio | None
    reference: Priced | None


def course(connection: Connection, product_id: int, start: int, end: int) -> Course | None:
    """What the lowest price did in [start, end); None: nothing is known of that time."""
    return follow(lowest_prices(connection, product_id, start, end))


def summary(connection: Connection, product_id: int, now: int) -> Summary:
    """Several reads: the connection has to see one state in all of them."""

    def lowest(start: int, end: int = now) -> Priced | None:
        return lowest_price(connection, product_id, start, end)

    past = course(connection, product_id, now - standing.LENGTH, now)
    current = standing.current(past) if past else None
    before = standing.before_the_current(past) if past else None
    of_90_days = past.trend.lowest if past and past.trend else None
    older = lowest(0, now - standing.LENGTH)
    return Summary(
        course=past,
        current=current,
        lowest_7_days=lowest(now - 7 * DAY),
        lowest_30_days=lowest(now - 30 * DAY),
        lowest_90_days=of_90_days,
        # Of equal prices the first.
        lowest_all_time=min((each for each in (of_90_days, older) if each), default=None),
        percentile_90_days=standing.percentile(past, current.price) if past and current else None,
        reference=lowest(*before) if before else None,
    )
