"""When a product is due next. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

LONGEST_PAUSE = timedelta(minutes=15)
# Due times lie on this grid, so that products that are due together are written together.
_GRID_US = 100_000
_GRID = timedelta(microseconds=_GRID_US)
_DOUBLINGS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Neighbours share a slot, so that what was imported together is written in few statements.
_NEIGHBOURS = 16
# The golden section: however many follow each other, they lie about evenly.
_SECTION = 0.6180339887498949


def next_slot(product_id: int, *, now: datetime, period: timedelta) -> datetime:
    """The product's first slot after now.

    Its place in the period depends on nothing but its id. So it keeps its rhythm however late it was served,
    and products that became due at once, by an import or an outage, are spread over the period again.
    """
    place = product_id // _NEIGHBOURS * _SECTION % 1 * period
    place -= place % _GRID
    return now + period - (now - _EPOCH - place) % period


def after_failure(
    product_id: int,
    *,
    failures: int,
    now: datetime,
    period: timedelta,
    jitter: Callable[[float, float], float],
) -> datetime:
    """Doubling pauses with the count of failures in a row, of half to whole length, at most 15 minutes."""
    pause = min(period * 2 ** min(failures - 1, _DOUBLINGS), LONGEST_PAUSE)
    if failures <= 1:
        return next_slot(product_id, now=now, period=period)
    return on_grid(now + pause * jitter(0.5, 1))


def soon(now: datetime) -> datetime:
    """The next point of the grid: not what is due already, so that it is not taken at once again."""
    return on_grid(now + _GRID)


def on_grid(time: datetime) -> datetime:
    # In whole numbers: as floats 0.3 / 0.1 is below 3, and slots would creep ahead.
    return time.replace(microsecond=time.microsecond - time.microsecond % _GRID_US)
