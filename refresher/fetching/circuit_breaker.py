"""How the Offers service is doing, judged by what came of the calls to it."""

import math
from collections import deque
from dataclasses import dataclass

# In a row, with no answer between: the service is down, and is only probed until it answers again.
_DOWN_AFTER = 5
_WINDOW = 50
_FAILING_SHARE = 0.2
_FAILING_PRODUCTS = 5
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Call:
    product_id: int
    succeeded: bool


class ServiceHealth:
    """A circuit breaker; all times are a monotonic clock's."""

    def __init__(self, *, probe_every_s: float) -> None:
        self._probe_every_s = probe_every_s
        self._answered_at = -math.inf
        self._recent: deque[_Call] = deque(maxlen=_WINDOW)
        self._failed_in_row = 0
        self._paused_until = 0.0
        # Nobody knows how it was before: products may have been put off because of the service.
        self._was_failing = True

    @property
    def is_down(self) -> bool:
        return self._failed_in_row >= _DOWN_AFTER

    @property
    def is_failing(self) -> bool:
        """So many products fail that it is the service's fault, not theirs."""
        failed = [call for call in self._recent if not call.succeeded]
        return self.is_down or (
            len(failed) >= _FAILING_SHARE * len(self._recent)
            and len({call.product_id for call in failed}) >= _FAILING_PRODUCTS
        )

    def allowed(self, wanted: int, *, now: float) -> int:
        """How many of the `wanted` products may be fetched now."""
        if now < self._paused_until:
            return 0
        if not self.is_down:
            return wanted
        # One probe, and the next not before its interval is over.
        self._paused_until = now + self._probe_every_s
        return min(1, wanted)

    def probe_unspent(self, *, now: float) -> None:
        """Nothing was due to probe with: the next product that is may serve at once."""
        self._paused_until = now

    def record(
        self, product_id: int, *, succeeded: bool, sent_at: float, now: float, answered: bool = False
    ) -> bool:
        """Takes note of what came of a call; returns whether the service has just recovered.

        A service that `answered`, though not as it should, is not down: what is wrong may be the product.
        """
        was_down = self.is_down
        self._recent.append(_Call(product_id, succeeded))
        if succeeded or answered:
            self._failed_in_row = 0
            self._answered_at = now
        elif sent_at >= self._answered_at:
            # Products that hang while others are served must not stop those: the service has answered since.
            self._failed_in_row += 1
        if self.is_down and not was_down:
            self._paused_until = now + self._probe_every_s
        if was_down and not self.is_down:
            self._recent.clear()
            self._paused_until = 0.0
        recovered = (succeeded or answered) and self._was_failing and not self.is_failing
        self._was_failing = self.is_failing or (self._was_failing and not recovered)
        return recovered

    def pause(self, seconds: float, *, now: float) -> None:
        """The service asked for it; what it asks for is capped."""
        self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE_S))
