"""Figures of all products, read from the database now and then: how many wait, and how old offers are."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from productator.models import Refresh
from refresher.metrics import PREFIX


class WaitingProducts:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._due = Gauge(f"{PREFIX}_products_due", "Products that wait to be refreshed", registry=registry)
        self._oldest_due = Gauge(
            f"{PREFIX}_longest_wait_seconds",
            "How long the product that is due for longest has been so",
            registry=registry,
        )
        self._oldest_offers = Gauge(
            f"{PREFIX}_oldest_offers_seconds",
            "Age of the offers that were refreshed longest ago",
            registry=registry,
        )

    def look(self, session: Session, *, now: datetime) -> None:
        """Two short ranges of the index."""
        # Both lanes are named so that the index is of use.
        due = select(func.count(), func.min(Refresh.due_at)).where(
            Refresh.pending.in_([False, True]), Refresh.due_at <= now
        )
        count, since = session.execute(due).one()
        self._due.set(count)
        self._oldest_due.set((now - since).total_seconds() if since else 0)

    def look_at_all(self, session: Session, *, now: datetime) -> None:
        """Reads the whole schedule, which takes about 0.3 s for each million products."""
        oldest = session.scalar(select(func.min(Refresh.refreshed_at)))
        self._oldest_offers.set((now - oldest).total_seconds() if oldest else 0)
