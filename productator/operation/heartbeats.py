"""The heartbeats of refreshers, and what they did in each hour."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from productator.database.column_types import ServerTime
from productator.database.transactions import changed_rows
from productator.models import RefresherHeartbeat, RefreshHour

EVERY_S = 10.0
# A refresher that is busy with a slow database beats late.
ALIVE_FOR = timedelta(seconds=45)
# A refresher that ended is shown for a while, so that people see that it did.
_SHOWN_FOR = timedelta(minutes=10)
_HOURS_KEPT = timedelta(days=8)
_HOURS_SHOWN = 24


@dataclass(frozen=True)
class Counted:
    """What a refresher did since its last heartbeat."""

    refreshes: int = 0
    failures: int = 0
    changes: int = 0


@dataclass(frozen=True)
class Vitals:
    """What a refresher says about itself."""

    name: str
    version: str
    started_at: datetime
    # Since when its circuit breaker has been open.
    down_since: datetime | None
    last_success_at: datetime | None
    refreshes_per_s: float


class LivingRefresher(NamedTuple):
    name: str
    version: str
    started_at: datetime
    seen_at: datetime
    down_since: datetime | None
    last_success_at: datetime | None
    refreshes_per_s: float

    def is_alive(self, *, now: datetime) -> bool:
        return now - self.seen_at <= ALIVE_FOR


class Hour(NamedTuple):
    starts_at: datetime
    refreshes: int
    failures: int
    changes: int


_HEARTBEATS = select(*(getattr(RefresherHeartbeat, name) for name in LivingRefresher._fields)).order_by(
    RefresherHeartbeat.name
)
_HOURS = select(*(getattr(RefreshHour, name) for name in Hour._fields))


def beat(session: Session, vitals: Vitals, counted: Counted, *, now: datetime) -> None:
    """Writes the refresher's row, adds what it did to the hour, and deletes what is old."""
    # The readers' clock, where there is one: the refreshers' clocks may differ.
    seen_at = func.coalesce(ServerTime(), now)
    values = vars(vitals) | {"seen_at": seen_at}
    mine = RefresherHeartbeat.name == vitals.name
    if not changed_rows(session, update(RefresherHeartbeat).where(mine).values(values)):
        session.execute(insert(RefresherHeartbeat).values(values))
    _delete_old(session, vitals.name)
    if counted != Counted():
        _add_to_hour(session, _hour_of(now), counted)


def read(connection: Connection) -> Sequence[LivingRefresher]:
    return [LivingRefresher._make(row) for row in connection.execute(_HEARTBEATS)]


def down_since(refreshers: Iterable[LivingRefresher], *, now: datetime) -> datetime | None:
    """Since when no refresher gets answers from the Offers service; None: one does, or none runs."""
    since = [each.down_since for each in refreshers if each.is_alive(now=now)]
    return min((each for each in since if each), default=None) if since and all(since) else None


def hours(connection: Connection, *, now: datetime) -> Sequence[Hour]:
    """The last 24 hours, the current one included; one without a row had nothing to do."""
    first = _hour_of(now) - timedelta(hours=_HOURS_SHOWN - 1)
    stored = {row.starts_at: row for row in connection.execute(_HOURS.where(RefreshHour.starts_at >= first))}
    times = (first + timedelta(hours=each) for each in range(_HOURS_SHOWN))
    return [Hour._make(stored[time]) if time in stored else Hour(time, 0, 0, 0) for time in times]


def _delete_old(session: Session, own_name: str) -> None:
    """By the time in the own row, which was just written. The read locks nothing, and mostly finds none."""
    seen = dict(session.execute(select(RefresherHeartbeat.name, RefresherHeartbeat.seen_at)).all())
    shown_since = seen[own_name] - _SHOWN_FOR
    old = [name for name, seen_at in seen.items() if seen_at < shown_since]
    if old:
        is_old = RefresherHeartbeat.name.in_(old), RefresherHeartbeat.seen_at < shown_since
        session.execute(delete(RefresherHeartbeat).where(*is_old))


def _add_to_hour(session: Session, hour: datetime, counted: Counted) -> None:
    added = {
        "refreshes": RefreshHour.refreshes + counted.refreshes,
        "failures": RefreshHour.failures + counted.failures,
        "changes": RefreshHour.changes + counted.changes,
    }
    while not changed_rows(session, update(RefreshHour).where(RefreshHour.starts_at == hour).values(added)):
        # Another refresher may add the row at the same time.
        with suppress(IntegrityError), session.begin_nested():
            session.execute(insert(RefreshHour).values(starts_at=hour, refreshes=0, failures=0, changes=0))
            session.execute(delete(RefreshHour).where(RefreshHour.starts_at < hour - _HOURS_KEPT))


def _hour_of(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
