"""Holds deliveries back in quiet hours and beyond a channel's hourly limit, and tells them in one message."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from notifier.queue.due import HOUR, DueChannel, is_due, is_test, quiet_until, waits_for_nothing
from productator.alerts.deliveries import DIGEST, Status, announce
from productator.domain import time_json
from productator.models import AlertRule, AlertState, Channel, Delivery, Event
from productator.prices.segments import microseconds

QUIET = "quiet hours"
TOO_MANY = "more messages than an hour may have"
_DISABLED = "the channel is disabled"
_ENDED = "it was over before quiet hours were"
# So many a transaction: it must not last long.
CHANNELS_AT_A_TIME = 20
_A_STATEMENT = 500
# Of the events in a digest: a message stays below 20 KB.
_MOST_BYTES = 14_000


class _HeldDelivery(NamedTuple):
    delivery_id: int
    event_id: int
    rule_id: int | None
    product_id: int | None
    event_type: str
    data: str
    occurred_at: datetime
    next_try_at: datetime
    # Whether quiet hours held it back, it has a rule that is active and not muted, and that is true no more.
    was_quiet: bool
    is_wanted: bool
    is_over: bool


@dataclass
class _Digest:
    """What one message tells: all are counted, and as many as have room are told."""

    count: int = 0
    first: _HeldDelivery | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    _room: int = _MOST_BYTES

    def add(self, some: Sequence[_HeldDelivery]) -> None:
        for each in some:
            self.first = self.first or each
            self.count += 1
            self._room -= len(each.data.encode()) + 100
            if self._room >= 0:
                self.events.append(
                    {
                        "type": each.event_type,
                        "timestamp": time_json(each.occurred_at),
                        "data": json.loads(each.data),
                    }
                )


def hold(session: Session, channels: Sequence[DueChannel], now: datetime) -> None:
    """Holds back what is due and must wait; drops what a disabled channel would get."""
    for channel in channels:
        due = and_(Delivery.channel_id == channel.id, is_due(now))
        if channel.is_disabled:
            waiting = update(Delivery).where(due, ~is_test())
            values = {"status": Status.DROPPED, "next_try_at": None, "last_error": _DISABLED}
        else:
            waiting = update(Delivery).where(due, ~waits_for_nothing())
            values = {"status": Status.HELD} | _until(session, channel, now)
        # The lease of who claimed it has ended.
        session.connection().execute(waiting.values(values | {"claim_token": None}))


def _until(session: Session, channel: DueChannel, now: datetime) -> dict[str, Any]:
    if channel.quiet_until is not None:
        return {"next_try_at": channel.quiet_until, "last_error": QUIET}
    return {"next_try_at": _room_at(session, channel.id, channel.limit or 1, now), "last_error": TOO_MANY}


def _room_at(session: Session, channel_id: int, limit: int, now: datetime) -> datetime:
    """When the last hour will have fewer messages than the limit."""
    query = (
        select(Delivery.delivered_at)
        .where(Delivery.channel_id == channel_id, Delivery.delivered_at > now - HOUR)
        .order_by(Delivery.delivered_at.desc())
        .offset(limit - 1)
        .limit(1)
    )
    oldest = session.scalar(query)
    return now if oldest is None else oldest + HOUR


def waiting_channels(session: Session, now: datetime) -> Sequence[int]:
    """Channels whose held deliveries have waited long enough."""
    query = select(Delivery.channel_id).where(Delivery.status == Status.HELD, Delivery.next_try_at <= now)
    return session.scalars(query.distinct().limit(CHANNELS_AT_A_TIME)).all()


def release(session: Session, channel_id: int, now: datetime) -> None:
    """Sends what a channel's held deliveries have to tell, in one message if they are several.

    Raises IntegrityError if another notifier did so at the same time.
    """
    channel = session.get_one(Channel, channel_id)
    quiet = quiet_until(channel.quiet_from, channel.quiet_until, channel.time_zone, now)
    limit = channel.messages_an_hour
    room_at = now if limit is None else _room_at(session, channel_id, limit, now)
    digest = _Digest()
    last_id = 0
    while held := _held(session, channel_id, after=last_id, now=now):
        last_id = held[-1].delivery_id
        if channel.disabled_at is not None:
            _set(session, held, Status.DROPPED, last_error=_DISABLED)
        elif quiet is not None:
            # The hour with too many messages ended within quiet hours.
            _set(session, held, Status.HELD, last_error=QUIET, next_try_at=quiet)
        else:
            # The hour is not over if the channel's limit or quiet hours were changed within it.
            waits = [each for each in held if room_at > now and not each.was_quiet]
            _set(session, waits, Status.HELD, last_error=TOO_MANY, next_try_at=room_at)
            ready = [each for each in held if room_at <= now or each.was_quiet]
            digest.add(_still_to_tell(session, ready))
    if digest.first is not None:
        _send(session, channel_id, digest, digest.first, now)


def _still_to_tell(session: Session, held: Sequence[_HeldDelivery]) -> list[_HeldDelivery]:
    """Drops the others."""
    _set(session, [each for each in held if not each.is_wanted], Status.DROPPED, last_error=None)
    over = [each for each in held if each.is_wanted and each.was_quiet and each.is_over]
    _set(session, over, Status.DROPPED, last_error=_ENDED)
    _forget(session, over)
    left = [each for each in held if each.is_wanted and not (each.was_quiet and each.is_over)]
    _set(session, left, Status.DIGESTED, last_error=None)
    return left


def _send(session: Session, channel_id: int, digest: _Digest, first: _HeldDelivery, now: datetime) -> None:
    if digest.count == 1:
        _set(session, [first], Status.PENDING, last_error=None, next_try_at=now)
        return
    announce(
        session,
        DIGEST,
        {"count": digest.count, "events": digest.events},
        cause=f"digest:{channel_id}:{first.delivery_id}:{microseconds(first.next_try_at)}",
        channel_ids=[channel_id],
        now=now,
    )


def _held(session: Session, channel_id: int, *, after: int, now: datetime) -> list[_HeldDelivery]:
    """Some of what has waited long enough, by id."""
    is_wanted = or_(Delivery.rule_id.is_(None), and_(AlertRule.active, _not_muted(now)))
    query = (
        select(
            Delivery.id,
            Delivery.event_id,
            Delivery.rule_id,
            Event.product_id,
            Event.type,
            Event.data,
            Event.occurred_at,
            Delivery.next_try_at,
            Delivery.last_error == QUIET,
            is_wanted,
            _is_over(),
        )
        .join(Event, Event.id == Delivery.event_id)
        .outerjoin(AlertRule, AlertRule.id == Delivery.rule_id)
        .outerjoin(
            AlertState,
            and_(AlertState.rule_id == Delivery.rule_id, AlertState.product_id == Event.product_id),
        )
        .where(
            Delivery.channel_id == channel_id,
            Delivery.id > after,
            Delivery.status == Status.HELD,
            Delivery.next_try_at <= now,
        )
        .order_by(Delivery.id)
        .limit(_A_STATEMENT)
    )
    rows = session.execute(query.with_for_update(of=Delivery)).all()
    return [_HeldDelivery._make((*row[:8], *map(bool, row[8:]))) for row in rows]


def _is_over() -> ColumnElement[bool]:
    # What has come true again since, and waits for the end of the cooldown, is not over.
    return and_(AlertState.is_fired.is_(False), AlertState.pending_since.is_(None))


def _forget(session: Session, dropped: Sequence[_HeldDelivery]) -> None:
    """Events that no channel has sent start no cooldown: the next one is news."""
    if not dropped:
        return
    event_ids = {each.event_id for each in dropped}
    query = select(Delivery.event_id).where(
        Delivery.event_id.in_(event_ids), Delivery.status != Status.DROPPED
    )
    unheard = event_ids - set(session.scalars(query))
    products: dict[int | None, set[int | None]] = defaultdict(set)
    for each in dropped:
        if each.event_id in unheard:
            products[each.rule_id].add(each.product_id)
    for rule_id, product_ids in products.items():
        states = and_(AlertState.rule_id == rule_id, AlertState.product_id.in_(product_ids))
        forgetting = update(AlertState).where(states, _is_over()).values(fired_at=None, fired_price=None)
        session.connection().execute(forgetting)


def _not_muted(now: datetime) -> ColumnElement[bool]:
    return or_(AlertRule.muted_until.is_(None), AlertRule.muted_until <= now)


def _set(session: Session, held: Sequence[_HeldDelivery], status: Status, **values: Any) -> None:
    if held:
        ids = [each.delivery_id for each in held]
        statement = update(Delivery).where(Delivery.id.in_(ids))
        given_up = {"status": status, "next_try_at": None, "claim_token": None}
        session.connection().execute(statement.values(given_up | values))
