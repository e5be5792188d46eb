"""Decides by a result when its product is due next, and how many failures in a row it has then. Pure.

`leases/schedule.py` computes the times; `storing/batch.py` writes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from refresher.fetching.journey import FetchResult
from refresher.leases import schedule


@dataclass(frozen=True)
class DuePolicy:
    period: timedelta
    jitter: Callable[[float, float], float]
    # The service is in trouble: failures do not count against the products.
    service_failing: bool = False

    def next_due(self, result: FetchResult, *, now: datetime) -> tuple[datetime, int]:
        """The next due time, and the number of failures in a row."""
        claim = result.claim
        if result.error is None:
            return schedule.next_slot(claim.product_id, now=now, period=self.period), 0
        if result.is_product_unknown and not claim.failures:
            return schedule.soon(now), 1
        if self.service_failing:
            return schedule.next_slot(claim.product_id, now=now, period=self.period), claim.failures
        failures = claim.failures + 1
        due_at = schedule.after_failure(
            claim.product_id, failures=failures, now=now, period=self.period, jitter=self.jitter
        )
        return due_at, failures
