"""What the refresher says of its work: one readable line a cycle, and figures for Prometheus."""

import logging
import math
import time
from collections import Counter as Tally
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from refresher.storing.batch import Stored

log = logging.getLogger(__name__)

_MOST_ERRORS_NAMED = 3
# When work never pauses, a line comes this often all the same.
_LONGEST_CYCLE_S = 30.0
_CALM_S = 10.0
PREFIX = "productator_refresher"
_BATCH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Report:
    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the length of the page and tell only when the process began
        self.failed = 0
        self._cycle = Stored()
        self._cycle_began = time.monotonic()
        self._said_at = -math.inf
        self._lateness = Gauge(
            f"{PREFIX}_lateness_seconds",
            "How long after its slot the latest product of the last batch was stored",
            registry=registry,
        )
        self._products = Counter(
            f"{PREFIX}_refreshes_total", "Refreshes of products by outcome", ["outcome"], registry=registry
        )
        self._changes = Counter(
            f"{PREFIX}_offer_changes_total", "Changes of offers by kind", ["kind"], registry=registry
        )
        self._last_success = Gauge(
            f"{PREFIX}_last_success_timestamp_seconds", "When a product was last refreshed", registry=registry
        )
        self._batches = Histogram(
            f"{PREFIX}_batch_seconds",
            "How long storing a batch took",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._calls = Counter(
            f"{PREFIX}_calls_total",
            "Calls that register or read products, by the status of the answer",
            ["status"],
            registry=registry,
        )
        self._breaker = Gauge(
            f"{PREFIX}_breaker_open", "1 while the Offers service is down and only probed", registry=registry
        )

    def add(self, stored: Stored, *, idle: bool) -> None:
        """Counts what was stored; at the end of a cycle, says it."""
        self._count(stored)
        self._cycle.add(stored)
        worked = self._cycle.refreshed or self._cycle.failed or self._cycle.lost
        took_s = time.monotonic() - self._cycle_began
        is_over = took_s > _LONGEST_CYCLE_S or (idle and self._is_news())
        if worked and is_over:
            self._say(took_s)
            self._said_at = time.monotonic()
        if is_over or not worked:
            self._cycle = Stored()
            self._cycle_began = time.monotonic()

    def service(self, *, calls: Mapping[str, int], is_down: bool) -> None:
        """What came of calls, by status, since this was last told."""
        for status, count in calls.items():
            self._calls.labels(status).inc(count)
        self._breaker.set(is_down)

    def _is_news(self) -> bool:
        """With work spread over the period there is a little at any time, and no need to say each of it."""
        is_calm = time.monotonic() - self._said_at < _CALM_S
        return not is_calm or bool(self._cycle.registered or self._cycle.errors)

    def _count(self, stored: Stored) -> None:
        self.failed += stored.failed
        for outcome in ("refreshed", "failed", "lost"):
            self._products.labels(outcome).inc(getattr(stored, outcome))
        for kind in ("added", "changed", "removed"):
            self._changes.labels(kind).inc(getattr(stored, kind))
        for seconds in stored.batches_s:
            self._batches.observe(seconds)
        if stored.refreshed:
            self._last_success.set_to_current_time()
            self._lateness.set(stored.late_s)

    def _say(self, took_s: float) -> None:
        cycle = self._cycle
        log.info(
            f"{cycle.refreshed} products refreshed",  # noqa: G004 - the number is what one looks for
            extra={
                "offers_added": cycle.added,
                "changed": cycle.changed,
                "removed": cycle.removed,
                "registered": cycle.registered,
                "failed": cycle.failed,
                "late_s": round(cycle.late_s, 1),
                "seconds": round(took_s, 1),
            },
        )
        reasons = Tally(reason for _, reason in cycle.errors)
        for reason, times in reasons.most_common(_MOST_ERRORS_NAMED):
            example = next(product_id for product_id, each in cycle.errors if each == reason)
            log.warning("not refreshed", extra={"products": times, "for_example": example, "reason": reason})
