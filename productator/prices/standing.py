"""How a product's lowest price stands now beside its past."""

from productator.prices.ratio import Ratio
from productator.prices.segments import DAY
from productator.prices.trend import Course, Priced

# How far back the course goes that the present is held against.
LENGTH = 90 * DAY
_REFERENCE = 30 * DAY


def current(course: Course) -> Priced | None:
    """The price now, and since when in the course; None: nothing is in stock."""
    return course.trend.last if course.trend and course.stocked_until == course.end else None


def percentile(course: Course, price: int) -> Ratio:
    """For how many percent of the time in stock the product was cheaper."""
    cheaper = sum(time for other, time in course.times.items() if other < price)
    return Ratio(100 * cheaper, course.in_stock)


def before_the_current(course: Course) -> tuple[int, int] | None:
    """The 30 days in which the lowest price is what a reduction to the current one is held against.

    None: there is no current price, or it has held throughout.
    """
    now = current(course)
    if now is None or now.at <= course.end - LENGTH:
        return None
    return now.at - _REFERENCE, now.at
