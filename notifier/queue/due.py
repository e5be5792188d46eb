"""What is due, and the channels that it is for."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from productator.alerts.deliveries import AGAIN, AT_ONCE, TEST, Status
from productator.alerts.quiet_hours import QuietHours, end_of_quiet
from productator.models import Channel, Delivery, Event

log = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
_TYPES = ", ".join(f"'{each}'" for each in AT_ONCE)
AT_ONCE_SQL = f" AND (last_error = '{AGAIN}' OR event_id IN (SELECT id FROM events WHERE type IN ({_TYPES})))"  # noqa: S608 - constants


class DueChannel(NamedTuple):
    """A channel with due deliveries."""

    id: int
    limit: int | None
    # Messages of the last hour, where there is a limit.
    sent: int
    is_disabled: bool
    quiet_until: datetime | None

    @property
    def must_wait(self) -> bool:
        """Whether it gets nothing now but what waits for nothing."""
        return self.is_disabled or self.quiet_until is not None or self.has_had_its_hour

    @property
    def has_had_its_hour(self) -> bool:
        return self.limit is not None and self.sent >= self.limit


def due_channels(session: Session, now: datetime) -> list[DueChannel]:
    query = select(
        Channel.id,
        Channel.messages_an_hour,
        Channel.disabled_at.is_not(None).label("is_disabled"),
        Channel.quiet_from,
        Channel.quiet_until,
        Channel.time_zone,
    )
    # One row for each channel. For EXISTS, MariaDB reads all that is due, which may be 100,000 rows, and
    # without the order it takes an index by which it reads all that the channel ever got.
    first = select(Delivery.id).where(Delivery.channel_id == Channel.id, is_due(now))
    first = first.order_by(Delivery.next_try_at).limit(1)
    has_due = first.correlate(Channel).scalar_subquery().is_not(None)
    rows = session.connection().execute(query.where(has_due).order_by(Channel.id)).all()
    limited = [row.id for row in rows if row.messages_an_hour is not None]
    sent = sent_lately(session, limited, now) if limited else {}
    return [
        DueChannel(
            row.id,
            row.messages_an_hour,
            sent.get(row.id, 0),
            bool(row.is_disabled),
            quiet_until(row.quiet_from, row.quiet_until, row.time_zone, now),
        )
        for row in rows
    ]


def quiet_until(begin: int | None, end: int | None, zone: str | None, now: datetime) -> datetime | None:
    if begin is None or end is None or zone is None or not _is_known(zone):
        return None
    return end_of_quiet(QuietHours(begin, end, zone), now)


@cache
def _is_known(zone: str) -> bool:
    """Whether this machine has the time zone; says once that it has not."""
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        log.warning("a time zone is not installed: no quiet hours by it", extra={"time_zone": zone})
        return False
    return True


def is_due(now: datetime) -> ColumnElement[bool]:
    return (Delivery.status == Status.PENDING) & (Delivery.next_try_at <= now)


def waits_for_nothing() -> ColumnElement[bool]:
    is_at_once = exists().where(Event.id == Delivery.event_id, Event.type.in_(AT_ONCE))
    return or_(func.coalesce(Delivery.last_error, "") == AGAIN, is_at_once)


def is_test() -> ColumnElement[bool]:
    return exists().where(Event.id == Delivery.event_id, Event.type == TEST)


def sent_lately(session: Session, channel_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """How many messages each channel got within the last hour."""
    query = _count(channel_ids, Delivery.delivered_at > now - HOUR)
    return {row[0]: row[1] for row in session.connection().execute(query)}


def sent_or_claimed(session: Session, channel_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """The same, with those that any notifier may be sending.

    In one statement: between two, a delivery that is sent meanwhile could be counted twice or not at all.
    """
    channel_ids = list(channel_ids)
    sent = _count(channel_ids, Delivery.delivered_at > now - HOUR)
    is_leased = (Delivery.status == Status.PENDING) & (Delivery.next_try_at > now)
    claimed = _count(channel_ids, is_leased & Delivery.claim_token.is_not(None))
    found: dict[int, int] = {}
    for row in session.connection().execute(sent.union_all(claimed)):
        found[row[0]] = found.get(row[0], 0) + row[1]
    return found


def _count(channel_ids: Iterable[int], condition: ColumnElement[bool]) -> Select[int, int]:
    query = select(Delivery.channel_id, func.count())
    return query.where(Delivery.channel_id.in_(sorted(channel_ids)), condition).group_by(Delivery.channel_id)
