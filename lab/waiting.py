"""Waiting for a condition, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

# Far longer than anything takes on a quiet machine.
PATIENCE_S = 60.0
POLL_S = 0.05

Found = TypeVar("Found")


def eventually(condition: Callable[[], Found | None], *, within_s: float = PATIENCE_S) -> Found:
    """What the condition returns as soon as that is true; an error names the condition that stayed false."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            name = condition.__doc__ or condition.__qualname__
            raise AssertionError(f"not within {within_s:g} s: {name}")
        time.sleep(POLL_S)
    return found
