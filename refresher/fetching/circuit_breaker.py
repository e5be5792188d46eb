"""Stops calls to an Offers service that is down, and probes it until it answers again. Pure."""

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

# Failures in a row, without an answer between them, that open the circuit.
_OPENS_AFTER = 5
# Of so many recent results, so large a share and so many products failing is the service's fault.
_RECENT_RESULTS = 50
_FAILING_SHARE = 0.2
_FAILING_PRODUCTS = 5
LONGEST_PAUSE_S = 60.0


class Outcome(Enum):
    """How fetching a product ended, however many calls it took."""

    REFRESHED = auto()
    # A good answer, but the service does not know the product.
    UNKNOWN_PRODUCT = auto()
    # It answered, though not as it should: the service is not down, the product may be at fault.
    REFUSED = auto()
    UNANSWERED = auto()


_FAILURES = {Outcome.REFUSED, Outcome.UNANSWERED}


@dataclass(frozen=True, slots=True)
class _RecentResult:
    product_id: int
    outcome: Outcome


class CircuitBreaker:
    """All times are a monotonic clock's."""

    def __init__(self, *, probe_every_s: float) -> None:
        self._probe_every_s = probe_every_s
        self._answered_at = -math.inf
        self._recent: deque[_RecentResult] = deque(maxlen=_RECENT_RESULTS)
        self._failed_in_row = 0
        self._paused_until = 0.0
        # True at first: before the start products may have been delayed by failures of the service.
        self._was_failing = True
        # The circuit has opened, and no product was refreshed since.
        self.awaits_recovery = False

    @property
    def is_open(self) -> bool:
        """The service is down: it is only probed until it answers again."""
        return self._failed_in_row >= _OPENS_AFTER

    @property
    def is_failing(self) -> bool:
        """So many products fail that it is the service's fault, not theirs."""
        failed = [result for result in self._recent if result.outcome in _FAILURES]
        return self.is_open or (
            len(failed) >= _FAILING_SHARE * len(self._recent)
            and len({result.product_id for result in failed}) >= _FAILING_PRODUCTS
        )

    def allow(self, wanted: int, *, now: float) -> int:
        """How many of the `wanted` products may be fetched now; while open, one probe in its interval."""
        if now < self._paused_until:
            return 0
        if not self.is_open:
            return wanted
        # One probe; the next one when its interval is over.
        self._paused_until = now + self._probe_every_s
        return min(1, wanted)

    def return_probe(self, *, now: float) -> None:
        """No product was claimed to probe with: the next one that is due may be the probe at once."""
        self._paused_until = now

    def record(self, product_id: int, outcome: Outcome, *, sent_at: float, now: float) -> bool:
        """Records how fetching a product has ended; returns whether the service has just recovered.

        `sent_at` is when its last call was sent. Any answer closes the circuit, but only a product that was
        refreshed shows that the service has recovered.
        """
        was_open = self.is_open
        self._recent.append(_RecentResult(product_id, outcome))
        if outcome is not Outcome.UNANSWERED:
            self._failed_in_row = 0
            self._answered_at = now
        elif sent_at >= self._answered_at:
            # A call sent before the last answer does not count: products that hang must not stop the others.
            self._failed_in_row += 1
        if self.is_open and not was_open:
            self._paused_until = now + self._probe_every_s
        if was_open and not self.is_open:
            self._recent.clear()
            self._paused_until = 0.0
        recovered = outcome is Outcome.REFRESHED and self._was_failing and not self.is_failing
        self.awaits_recovery = self.is_open or (self.awaits_recovery and not recovered)
        self._was_failing = self.is_failing or (self._was_failing and not recovered)
        return recovered

    def pause(self, seconds: float, *, now: float) -> None:
        """The service has asked for a pause, which is capped."""
        self._paused_until = max(self._paused_until, now + min(seconds, LONGEST_PAUSE_S))
