"""Deliveries: events on their way to channels."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, Select, select, update
from sqlalchemy.orm import Session

from productator.database.keyset import Page, Position, orders, read_page
from productator.errors import ChannelDisabled, DeliveryNotFound
from productator.models import Channel, Delivery, Event

# Events that are no answer to a rule. Neither quiet hours nor the hourly limit hold the first two back.
TEST = "test"
DIGEST = "digest"
CHANNEL_DISABLED = "channel.disabled"
AT_ONCE = (TEST, DIGEST)
# The `last_error` of what an operator sends again, until it is tried: it waits for nothing either.
AGAIN = "sent again by hand"


class Status(StrEnum):
    """How far a delivery has come."""

    PENDING = "pending"
    # Until quiet hours end, or the hour that had too many messages.
    HELD = "held"
    DELIVERED = "delivered"
    # A digest tells of it.
    DIGESTED = "digested"
    # After the last try.
    FAILED = "failed"
    # Nothing to tell any more, or the channel is disabled.
    DROPPED = "dropped"


class DeliveryRow(NamedTuple):
    id: int
    event_id: int
    event_type: str
    channel_id: int
    rule_id: int | None
    message_id: str
    status: str
    attempts: int
    next_try_at: datetime | None
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


ORDERS = orders(Delivery.id, id=Delivery.id)


def _rows() -> Select[Any]:
    columns = [
        Event.type.label("event_type") if name == "event_type" else getattr(Delivery, name)
        for name in DeliveryRow._fields
    ]
    return select(*columns).join(Event, Event.id == Delivery.event_id)


def page(
    connection: Connection,
    *,
    channel_id: int | None,
    rule_id: int | None,
    status: str | None,
    sort: str,
    limit: int,
    position: Position | None,
) -> Page[DeliveryRow]:
    query = _rows()
    filters = ((Delivery.channel_id, channel_id), (Delivery.rule_id, rule_id), (Delivery.status, status))
    for column, value in filters:
        if value is not None:
            query = query.where(column == value)
    found = read_page(connection, query, ORDERS[sort], limit=limit, position=position)
    return found.map(DeliveryRow._make)


def get(connection: Connection, delivery_id: int) -> DeliveryRow:
    row = connection.execute(_rows().where(Delivery.id == delivery_id)).one_or_none()
    if row is None:
        raise DeliveryNotFound(delivery_id)
    return DeliveryRow._make(row)


def redeliver(session: Session, delivery_id: int, *, now: datetime) -> DeliveryRow:
    """Tries it again from the first try on, with the same message id; one that is under way goes on.

    The first try is at once, whatever the quiet hours and the limit; tries after a failure wait for these.
    """
    delivery = session.get(Delivery, delivery_id, with_for_update=True)
    if delivery is None:
        raise DeliveryNotFound(delivery_id)
    is_disabled = select(Channel.disabled_at).where(Channel.id == delivery.channel_id)
    if session.scalar(is_disabled) is not None:
        raise ChannelDisabled(delivery.channel_id)
    if delivery.claim_token is None:
        delivery.status, delivery.attempts, delivery.next_try_at = Status.PENDING, 0, now
        delivery.delivered_at, delivery.last_error = None, AGAIN
        session.flush()
    return get(session.connection(), delivery_id)


def judge_anew(session: Session, channel_id: int, *, now: datetime) -> None:
    """Makes what the channel's messages wait for end now; what there still is a reason for is held again."""
    held = update(Delivery).where(Delivery.channel_id == channel_id, Delivery.status == Status.HELD)
    session.connection().execute(held.values(next_try_at=now))


def announce(
    session: Session,
    event_type: str,
    data: Mapping[str, Any],
    *,
    cause: str,
    channel_ids: Iterable[int],
    now: datetime,
) -> list[int]:
    """Writes an event that is no answer to a rule, and its deliveries; returns their ids."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    event = Event(type=event_type, cause=cause, data=text, occurred_at=now, created_at=now)
    session.add(event)
    session.flush()
    deliveries = [pending(event.id, channel_id, rule_id=None, now=now) for channel_id in channel_ids]
    session.add_all(deliveries)
    session.flush()
    return [each.id for each in deliveries]


def pending(event_id: int, channel_id: int, *, rule_id: int | None, now: datetime) -> Delivery:
    """A delivery that is due now."""
    return Delivery(
        event_id=event_id,
        channel_id=channel_id,
        rule_id=rule_id,
        message_id=f"msg_{uuid4().hex}",
        status=Status.PENDING,
        attempts=0,
        next_try_at=now,
        created_at=now,
    )
