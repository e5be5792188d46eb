"""What the refresher reports: metrics for Prometheus, and a log line for each cycle of work."""

import logging
import math
import time
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from productator.domain import STALE_AFTER_PERIODS
from productator.models import Refresh
from refresher.vitals import OwnVitals

log = logging.getLogger(__name__)

_PREFIX = "productator_refresher"
_BATCH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_MOST_ERRORS_NAMED = 3
# A cycle ends when the worker is idle; if it never is, after so long.
_LONGEST_CYCLE_S = 30.0
# How long cycles without news share a line.
_CALM_S = 10.0


@dataclass
class StoreResult:
    """What storing has done, by number of products and offers."""

    refreshed: int = 0
    registered: int = 0
    failed: int = 0
    # Their claims had lapsed, or their rows were locked.
    lost: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    # Wrong offers in lists whose other offers were stored.
    refused_offers: int = 0
    # Product and reason.
    errors: list[tuple[int, str]] = field(default_factory=list)
    # Products with refused offers, and which.
    incomplete: list[tuple[int, str]] = field(default_factory=list)
    # How long each transaction took.
    batches_s: list[float] = field(default_factory=list)
    # How long after its slot the latest product was stored.
    late_s: float = 0.0

    def add(self, other: "StoreResult") -> None:
        late_s = max(self.late_s, other.late_s)
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        self.late_s = late_s


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the page's length, and tell only when the process started
        self._cycle = _Cycle()
        self.vitals = OwnVitals()
        self._lateness = Gauge(
            f"{_PREFIX}_lateness_seconds",
            "How long after its slot the latest product of the last batch was stored",
            registry=registry,
        )
        self._products = Counter(
            f"{_PREFIX}_refreshes_total", "Refreshes of products by outcome", ["outcome"], registry=registry
        )
        self._changes = Counter(
            f"{_PREFIX}_offer_changes_total", "Changes of offers by kind", ["kind"], registry=registry
        )
        self._refused_offers = Counter(
            f"{_PREFIX}_refused_offers_total",
            "Wrong offers in lists whose other offers were stored",
            registry=registry,
        )
        self._last_success = Gauge(
            f"{_PREFIX}_last_success_timestamp_seconds",
            "When a product was last refreshed",
            registry=registry,
        )
        self._batches = Histogram(
            f"{_PREFIX}_batch_seconds",
            "How long storing a batch took",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._calls = Counter(
            f"{_PREFIX}_calls_total",
            "Calls that register or read products, by the status of the answer",
            ["status"],
            registry=registry,
        )
        self._breaker = Gauge(
            f"{_PREFIX}_breaker_open",
            "1 while the Offers service is down and only probed",
            registry=registry,
        )

    def count_stored(self, stored: StoreResult, *, idle: bool) -> None:
        """Counts what was stored, and logs it at the end of a cycle."""
        for outcome in ("refreshed", "failed", "lost"):
            self._products.labels(outcome).inc(getattr(stored, outcome))
        for kind in ("added", "changed", "removed"):
            self._changes.labels(kind).inc(getattr(stored, kind))
        self._refused_offers.inc(stored.refused_offers)
        for seconds in stored.batches_s:
            self._batches.observe(seconds)
        if stored.refreshed:
            self._last_success.set_to_current_time()
            self._lateness.set(stored.late_s)
        self._cycle.add(stored, idle=idle)
        changes = stored.added + stored.changed + stored.removed
        self.vitals.count(refreshes=stored.refreshed, failures=stored.failed, changes=changes)

    def count_calls(self, calls: Mapping[str, int]) -> None:
        """By the status of the answer."""
        for status, count in calls.items():
            self._calls.labels(status).inc(count)

    def set_breaker(self, *, is_open: bool) -> None:
        self._breaker.set(is_open)
        self.vitals.set_breaker(is_open=is_open)


class _Cycle:
    """Adds up what was stored until it is worth a line in the log."""

    def __init__(self) -> None:
        self._total = StoreResult()
        self._began = time.monotonic()
        self._logged_at = -math.inf

    def add(self, stored: StoreResult, *, idle: bool) -> None:
        self._total.add(stored)
        has_worked = self._total.refreshed or self._total.failed or self._total.lost
        took_s = time.monotonic() - self._began
        is_over = took_s > _LONGEST_CYCLE_S or (idle and self._is_news())
        if has_worked and is_over:
            _log(self._total, took_s)
            self._logged_at = time.monotonic()
        if is_over or not has_worked:
            self._total = StoreResult()
            self._began = time.monotonic()

    def _is_news(self) -> bool:
        """Work is spread over the period: a little at any time, and each of it is not worth a line."""
        is_calm = time.monotonic() - self._logged_at < _CALM_S
        return not is_calm or bool(self._total.registered or self._total.errors or self._total.incomplete)


def _log(total: StoreResult, took_s: float) -> None:
    log.info(
        f"{total.refreshed} products refreshed",  # noqa: G004 - the number is what a reader looks for
        extra={
            "offers_added": total.added,
            "changed": total.changed,
            "removed": total.removed,
            "registered": total.registered,
            "failed": total.failed,
            "late_s": round(total.late_s, 1),
            "seconds": round(took_s, 1),
        },
    )
    if total.incomplete:
        product_id, reason = total.incomplete[0]
        log.warning(
            "offers refused",
            extra={
                "offers": total.refused_offers,
                "products": len(total.incomplete),
                "for_example": product_id,
                "reason": reason,
            },
        )
    reasons = Tally(reason for _, reason in total.errors)
    for reason, times in reasons.most_common(_MOST_ERRORS_NAMED):
        example = next(product_id for product_id, each in total.errors if each == reason)
        log.warning("not refreshed", extra={"products": times, "for_example": example, "reason": reason})


class Backlog:
    """How many products there are and wait, and how old offers are; read from the database now and then."""

    def __init__(self, registry: CollectorRegistry, *, period_s: float) -> None:
        self._stale_after = STALE_AFTER_PERIODS * timedelta(seconds=period_s)
        # Alarms count in periods.
        Gauge(
            f"{_PREFIX}_period_seconds", "Seconds between two refreshes of a product", registry=registry
        ).set(period_s)
        self._due = Gauge(f"{_PREFIX}_products_due", "Products that wait to be refreshed", registry=registry)
        self._longest_wait = Gauge(
            f"{_PREFIX}_longest_wait_seconds",
            "How long the product that is due for longest has been so",
            registry=registry,
        )
        self._oldest_offers = Gauge(
            f"{_PREFIX}_oldest_offers_seconds",
            "Age of the offers that were refreshed longest ago",
            registry=registry,
        )
        self._products = Gauge(f"{_PREFIX}_products", "Products that are stored", registry=registry)
        self._pending = Gauge(
            f"{_PREFIX}_products_pending", "Products that are not registered yet", registry=registry
        )
        self._stale = Gauge(
            f"{_PREFIX}_products_stale",
            "Products whose offers are older than three periods, or were never read",
            registry=registry,
        )
        self._failing = Gauge(
            f"{_PREFIX}_products_failing", "Products whose last refresh failed", registry=registry
        )

    def measure_waiting(self, session: Session, *, now: datetime) -> None:
        """Reads two short ranges of the index."""
        # Both values of `pending` are named so that the index is used.
        due = select(func.count(), func.min(Refresh.due_at)).where(
            Refresh.pending.in_([False, True]), Refresh.due_at <= now
        )
        count, since = session.execute(due).one()
        self._due.set(count)
        self._longest_wait.set((now - since).total_seconds() if since else 0)

    def measure_all(self, session: Session, *, now: datetime) -> None:
        """Reads all of `refreshes` once."""
        is_stale = or_(Refresh.refreshed_at.is_(None), Refresh.refreshed_at < now - self._stale_after)
        products, pending, stale, failing, oldest = session.execute(
            select(
                func.count(),
                _number_of(Refresh.pending.is_(True)),
                _number_of(is_stale),
                _number_of(Refresh.failures > 0),
                func.min(Refresh.refreshed_at),
            )
        ).one()
        self._products.set(products)
        self._pending.set(pending)
        self._stale.set(stale)
        self._failing.set(failing)
        self._oldest_offers.set((now - oldest).total_seconds() if oldest else 0)


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows fulfil the condition; `FILTER` is not known to MySQL."""
    return func.count(case((condition, 1)))
