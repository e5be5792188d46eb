"""What the notifier reports to Prometheus."""

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from productator.alerts.deliveries import Status
from productator.models import ChangedProduct, Channel, Delivery

_PREFIX = "productator_notifier"


class NotifierMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the page's length
        self._deliveries = Counter(
            f"{_PREFIX}_deliveries_total", "Tries of deliveries by outcome", ["outcome"], registry=registry
        )
        for outcome in ("delivered", "retried", "failed"):
            self._deliveries.labels(outcome)
        self._evaluated = Counter(
            f"{_PREFIX}_products_evaluated_total", "Changed products that were looked at", registry=registry
        )
        self._events = Counter(f"{_PREFIX}_events_total", "Events that rules have told", registry=registry)
        self._under_way = Gauge(f"{_PREFIX}_calls_under_way", "Deliveries being sent", registry=registry)
        self._outbox_age = Gauge(
            f"{_PREFIX}_outbox_age_seconds",
            "For how long the oldest change under a rule has not been looked at",
            registry=registry,
        )
        self._oldest_delivery = Gauge(
            f"{_PREFIX}_delivery_lateness_seconds",
            "For how long the delivery that is due for longest has been so",
            registry=registry,
        )
        self._disabled = Gauge(
            f"{_PREFIX}_channels_disabled", "Channels that failed for good", registry=registry
        )

    def count_deliveries(self, counts: Mapping[str, int]) -> None:
        for outcome, count in counts.items():
            self._deliveries.labels(outcome).inc(count)

    def count_evaluated(self, products: int, events: int) -> None:
        self._evaluated.inc(products)
        self._events.inc(events)

    def set_under_way(self, calls: int) -> None:
        self._under_way.set(calls)

    def measure(self, session: Session, *, now: datetime) -> None:
        """Reads the ends of three indexes."""
        # By the row itself: a notifier that ends and starts again sees the same age, and so do several.
        oldest = select(ChangedProduct.noted_at).order_by(ChangedProduct.id).limit(1)
        noted_at = session.scalar(oldest)
        self._outbox_age.set(max(0.0, (now - noted_at).total_seconds()) if noted_at else 0)
        due = select(func.min(Delivery.next_try_at)).where(
            Delivery.status == Status.PENDING, Delivery.next_try_at <= now
        )
        since = session.scalar(due)
        self._oldest_delivery.set((now - since).total_seconds() if since else 0)
        disabled = select(func.count()).select_from(Channel).where(Channel.disabled_at.is_not(None))
        self._disabled.set(session.scalar(disabled) or 0)
