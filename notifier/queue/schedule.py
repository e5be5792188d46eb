"""When a delivery that failed is tried again. Pure."""

import random
from datetime import timedelta

# After the first try, the second, and so on; then it has failed. 27 hours in all.
PAUSES = tuple(
    timedelta(seconds=each) for each in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)
)
_JITTER = 0.2


def pause_after(attempts: int, *, retry_after: timedelta | None, chance: random.Random) -> timedelta | None:
    """How long to wait after so many tries; None: that was the last one.

    A receiver that asks for more time gets it, up to the pause that would follow.
    """
    if attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * chance.uniform(1 - _JITTER, 1 + _JITTER)
    if retry_after is None:
        return pause
    return max(pause, min(retry_after, PAUSES[min(attempts, len(PAUSES) - 1)]))
