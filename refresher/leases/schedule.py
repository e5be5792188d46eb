"""Computes due times: slots, and pauses after failures. Pure.

`storing/due_policy.py` decides which of them a product gets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LONGEST_PAUSE = timedelta(minutes=15)
# Due times lie on this grid, so that products that are due together are written together.
_GRID_US = 100_000
_GRID = timedelta(microseconds=_GRID_US)
_DOUBLINGS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# So many neighbours share a slot, so that products that were imported together take few statements.
_NEIGHBOURS = 16
# The golden section spreads consecutive ids about evenly, however many there are.
_SECTION = 0.6180339887498949


@dataclass(frozen=True)
class Rhythm:
    # Between two refreshes of a product.
    period: timedelta
    # How long a claim lasts: longer than the slowest batch.
    lease: timedelta


def next_slot(product_id: int, *, now: datetime, period: timedelta) -> datetime:
    """The product's first slot after now.

    Its place in the period depends on its id alone. So a product keeps its rhythm however late it was
    refreshed, and products that became due at once, by an import or an outage, spread over the period again.
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
    """Pauses double with each failure in a row, up to 15 minutes; jitter takes up to half of a pause off."""
    pause = min(period * 2 ** min(failures - 1, _DOUBLINGS), LONGEST_PAUSE)
    if failures <= 1:
        return next_slot(product_id, now=now, period=period)
    return on_grid(now + pause * jitter(0.5, 1))


def soon(now: datetime) -> datetime:
    """The next point of the grid: not yet due, so that the next claim does not take it at once."""
    return on_grid(now + _GRID)


def on_grid(time: datetime) -> datetime:
    # In integers: as floats 0.3 / 0.1 is below 3, and slots would creep ahead.
    return time.replace(microsecond=time.microsecond - time.microsecond % _GRID_US)
