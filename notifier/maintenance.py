"""Small tasks beside delivering: measures, and deletes what is old."""

import time
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from notifier.metrics import NotifierMetrics
from productator.alerts.deliveries import Status
from productator.database.transactions import changed_rows, run_transaction
from productator.domain import utc_now
from productator.models import Delivery, Event

_EVERY_S = 10.0
_BETWEEN_STEPS_S = 0.5
_DELIVERIES_FOR = timedelta(days=30)
_EVENTS_FOR = timedelta(days=90)
# So few that no lock lasts long.
_ROWS_A_TIME = 500


class NotifierMaintenance:
    def __init__(self, sessions: sessionmaker[Session], metrics: NotifierMetrics) -> None:
        self._sessions = sessions
        self._metrics = metrics
        self._due_at = 0.0

    def turn(self) -> None:
        """Does what is due; raises what the database raises."""
        if time.monotonic() < self._due_at:
            return
        # Also if it fails.
        self._due_at = time.monotonic() + _EVERY_S
        now = utc_now()
        run_transaction(self._sessions, lambda session: self._metrics.measure(session, now=now))
        deleted = run_transaction(self._sessions, lambda session: delete_old(session, now=now))
        if deleted >= _ROWS_A_TIME:
            # There is much to delete: a little at a time.
            self._due_at = time.monotonic() + _BETWEEN_STEPS_S


def delete_old(session: Session, *, now: datetime) -> int:
    """Deletes some old deliveries and events; returns how many."""
    is_under_way = Delivery.status.in_([Status.PENDING, Status.HELD])
    old = select(Delivery.id).where(Delivery.created_at < now - _DELIVERIES_FOR, ~is_under_way)
    deliveries = session.scalars(old.order_by(Delivery.created_at).limit(_ROWS_A_TIME)).all()
    events = session.scalars(
        select(Event.id)
        .where(Event.created_at < now - _EVENTS_FOR)
        .order_by(Event.created_at)
        .limit(_ROWS_A_TIME)
    ).all()
    deleted = 0
    if deliveries:
        deleted += changed_rows(session, delete(Delivery).where(Delivery.id.in_(deliveries)))
    if events:
        deleted += changed_rows(session, delete(Event).where(Event.id.in_(events)))
    return deleted
