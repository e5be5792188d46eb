"""Growing pauses between attempts to reach a database that is away."""

import random
import time

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
_MOST_DOUBLINGS = 10


class Backoff:
    """Each failure in a row doubles the pause, with jitter; a success ends it."""

    def __init__(self) -> None:
        # In a row.
        self.failures = 0
        # Whether the last attempt succeeded; False before the first one.
        self.has_succeeded = False
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def succeeded(self) -> None:
        self.failures, self.has_succeeded, self._until = 0, True, 0.0

    def failed(self) -> None:
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self.failures, _MOST_DOUBLINGS))
        self._until = time.monotonic() + pause_s * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
        self.failures += 1
        self.has_succeeded = False
