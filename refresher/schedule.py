"""When a product is due next. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta

LONGEST_PAUSE = timedelta(minutes=15)
# Due times lie on this grid, so that products that were due together are written together.
_GRID_US = 100_000
_DOUBLINGS = 10


def next_slot(slot: datetime, *, now: datetime, period: timedelta) -> datetime:
    """The product's first slot after now: it keeps its rhythm however late it was served."""
    first = on_grid(slot)
    missed = max(0, (now - first) // period)
    return first + (missed + 1) * period


def after_failure(
    slot: datetime,
    *,
    failures: int,
    now: datetime,
    period: timedelta,
    jitter: Callable[[float, float], float],
) -> datetime:
    """Doubling pauses with the count of failures in a row, of half to whole length, at most 15 minutes."""
    pause = min(period * 2 ** min(failures - 1, _DOUBLINGS), LONGEST_PAUSE)
    if failures <= 1:
        return next_slot(slot, now=now, period=period)
    return on_grid(now + pause * jitter(0.5, 1))


def on_grid(time: datetime) -> datetime:
    # In whole numbers: as floats 0.3 / 0.1 is below 3, and slots would creep ahead.
    return time.replace(microsecond=time.microsecond - time.microsecond % _GRID_US)
