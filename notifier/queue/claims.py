"""Claims: a lease on deliveries that are due, a few of each channel, so that a slow one delays no other."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, exists, func, select, union_all, update
from sqlalchemy.orm import Session

from productator.alerts.deliveries import AT_ONCE, Status
from productator.models import Channel, Delivery, Event

# Two of them are called at a time; the others wait in this process and save statements.
PER_CHANNEL = 8
HOUR = timedelta(hours=1)
# SQLite joins 500 queries at most.
_QUERIES_A_STATEMENT = 100


class Target(NamedTuple):
    """The channel of a delivery, with its secrets as they are stored."""

    id: int
    kind: str
    name: str
    address: str
    secret: str | None = None
    old_secret: str | None = None
    old_secret_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """A delivery that this notifier alone may try until the lease ends."""

    delivery_id: int
    token: str = field(repr=False)
    message_id: str
    # The tries before this one.
    attempts: int
    event_type: str
    data: Mapping[str, Any] = field(repr=False)
    occurred_at: datetime
    rule_id: int | None
    channel: Target = field(repr=False)


def claim(
    session: Session, in_hand: Mapping[int, int], *, most: int, now: datetime, lease: timedelta
) -> list[DeliveryClaim]:
    """Claims due deliveries; `in_hand` counts those of each channel that were claimed and are not stored."""
    wanted: list[Select[Any]] = []
    for channel_id, room, is_exhausted in _rooms(session, in_hand, most, now):
        query = select(Delivery.id).where(Delivery.channel_id == channel_id, is_due(now))
        if is_exhausted:
            query = query.where(is_at_once())
        wanted.append(query.order_by(Delivery.next_try_at, Delivery.id).limit(room))
    found = _ids(session, wanted)[:most]
    if not found:
        return []
    token = uuid4().hex
    statement = update(Delivery).where(Delivery.id.in_(sorted(found)), is_due(now))
    session.connection().execute(statement.values(claim_token=token, next_try_at=now + lease))
    return _claimed(session, token)


def give_back(session: Session, claims: Iterable[DeliveryClaim], *, now: datetime) -> None:
    """Deliveries that were claimed and not tried are due again."""
    claims = list(claims)
    session.connection().execute(
        update(Delivery)
        .where(
            Delivery.id.in_(sorted(each.delivery_id for each in claims)),
            Delivery.claim_token.in_({each.token for each in claims}),
        )
        .values(claim_token=None, next_try_at=now)
    )


def is_due(now: datetime) -> ColumnElement[bool]:
    return (Delivery.status == Status.PENDING) & (Delivery.next_try_at <= now)


def is_at_once() -> ColumnElement[bool]:
    return exists().where(Event.id == Delivery.event_id, Event.type.in_(AT_ONCE))


def sent_lately(session: Session, channel_ids: Iterable[int], now: datetime) -> dict[int, int]:
    """How many messages each channel got within the last hour."""
    query = (
        select(Delivery.channel_id, func.count())
        .where(Delivery.channel_id.in_(sorted(channel_ids)), Delivery.delivered_at > now - HOUR)
        .group_by(Delivery.channel_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _rooms(
    session: Session, in_hand: Mapping[int, int], most: int, now: datetime
) -> Iterable[tuple[int, int, bool]]:
    """Each channel with due deliveries: how many may be claimed, and whether its hourly limit is reached."""
    has_due = exists().where(Delivery.channel_id == Channel.id, is_due(now))
    query = select(Channel.id, Channel.messages_an_hour).where(has_due)
    # Those that have least come first, and all get the same share, or the last channels would starve.
    channels = sorted(session.execute(query).all(), key=lambda row: (in_hand.get(row.id, 0), row.id))
    share = max(1, most // max(1, len(channels)))
    limited = [channel_id for channel_id, limit in channels if limit is not None]
    sent = sent_lately(session, limited, now) if limited else {}
    for channel_id, limit in channels:
        room = min(share, PER_CHANNEL - in_hand.get(channel_id, 0))
        left = room if limit is None else limit - sent.get(channel_id, 0) - in_hand.get(channel_id, 0)
        if room > 0:
            yield channel_id, min(room, left) if left > 0 else room, left <= 0


def _ids(session: Session, queries: list[Select[Any]]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(queries), _QUERIES_A_STATEMENT):
        parts = [select(each.subquery().c.id) for each in queries[start : start + _QUERIES_A_STATEMENT]]
        found += session.scalars(union_all(*parts))
    return found


def _claimed(session: Session, token: str) -> list[DeliveryClaim]:
    query = (
        select(Delivery, Event.type, Event.data, Event.occurred_at, Channel)
        .join(Event, Event.id == Delivery.event_id)
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.claim_token == token)
        .order_by(Delivery.id)
    )
    return [
        DeliveryClaim(
            delivery.id,
            token,
            delivery.message_id,
            delivery.attempts,
            event_type,
            json.loads(data),
            occurred_at,
            delivery.rule_id,
            Target._make(getattr(channel, name) for name in Target._fields),
        )
        for delivery, event_type, data, occurred_at, channel in session.execute(query)
    ]
