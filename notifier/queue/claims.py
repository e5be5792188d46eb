"""Claims: a lease on deliveries that are due, a few of each channel, so that a slow one delays no other."""

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.orm import Session

from notifier.queue.due import AT_ONCE_SQL, DueChannel, sent_or_claimed
from productator.alerts.deliveries import Status
from productator.database.bulk import slices
from productator.database.column_types import UtcDateTime
from productator.database.number_lists import in_list
from productator.models import Channel, Delivery, Event

# Two of them are called at a time; the others wait in this process and save statements.
PER_CHANNEL = 8
# Before the end of its lease, a claim has the time of a whole call or mail left; these end within 15 seconds.
LONGEST_CALL = timedelta(seconds=20)
# SQLite joins 500 queries at most.
_CHANNELS_A_STATEMENT = 400
_NOW = bindparam("now", type_=UtcDateTime)
_TAKE = (
    update(Delivery)
    .where(in_list(Delivery.id, "ids"), Delivery.status == Status.PENDING, Delivery.next_try_at <= _NOW)
    .values(claim_token=bindparam("token"), next_try_at=bindparam("until", type_=UtcDateTime))
)
_TAKEN = (
    select(
        Delivery.id,
        Delivery.message_id,
        Delivery.attempts,
        Delivery.rule_id,
        Delivery.event_id,
        Delivery.channel_id,
    )
    .where(Delivery.claim_token == bindparam("token"))
    .order_by(Delivery.id)
)
_EVENTS = select(Event.id, Event.type, Event.data, Event.occurred_at).where(in_list(Event.id, "ids"))


class Target(NamedTuple):
    """The channel of a delivery, with its secrets as they are stored."""

    id: int
    kind: str
    name: str
    address: str
    secret: str | None = None
    old_secret: str | None = None
    old_secret_until: datetime | None = None


_TARGETS = select(*(getattr(Channel, name) for name in Target._fields)).where(in_list(Channel.id, "ids"))


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
    # By the monotonic clock: a try that began later could last longer than the lease.
    begin_until: float = field(default=math.inf, repr=False)

    @property
    def has_lapsed(self) -> bool:
        """It must not be tried any more: another notifier may have claimed it."""
        return time.monotonic() >= self.begin_until


def claim(
    session: Session,
    token: str,
    channels: Iterable[DueChannel],
    in_hand: Mapping[int, int],
    *,
    most: int,
    now: datetime,
    lease: timedelta,
) -> list[DeliveryClaim]:
    """Claims due deliveries of these channels with a new token.

    `in_hand` counts those of each channel that were claimed and are not stored. The token is the caller's: a
    transaction that is repeated finds what it had claimed already.
    """
    begin_until = time.monotonic() + (lease - LONGEST_CALL).total_seconds()
    channels = list(channels)
    due = _due(session, _rooms(channels, in_hand, most), now)[:most]
    # After that: what another notifier claimed before is not among the due, or is counted.
    found = _within_limits(session, due, channels, now)
    if found:
        session.connection().execute(
            _TAKE, {"ids": sorted(found), "now": now, "token": token, "until": now + lease}
        )
    return _claimed(session, token, begin_until)


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


def _rooms(
    channels: Sequence[DueChannel], in_hand: Mapping[int, int], most: int
) -> Iterable[tuple[DueChannel, int]]:
    """How many each channel may get."""
    share = max(1, most // max(1, len(channels)))
    # Those that have least come first, and all get the same share, or the last channels would starve.
    for channel in sorted(channels, key=lambda each: (in_hand.get(each.id, 0), each.id)):
        room = min(share, PER_CHANNEL - in_hand.get(channel.id, 0))
        if room > 0:
            yield channel, room


def _due(session: Session, rooms: Iterable[tuple[DueChannel, int]], now: datetime) -> list[tuple[int, int]]:
    """Ids of deliveries and of their channels.

    One statement for hundreds of channels, as text: SQLAlchemy takes longer to build it than to run it.
    """
    queries = [
        f"SELECT id, channel_id FROM (SELECT id, channel_id FROM deliveries WHERE channel_id = {channel.id:d}"  # noqa: S608 - numbers
        f" AND status = '{Status.PENDING}' AND next_try_at <= :now{AT_ONCE_SQL if channel.must_wait else ''}"
        f" ORDER BY next_try_at, id LIMIT {room:d}) AS due_{channel.id:d}"
        for channel, room in rooms
    ]
    found: list[tuple[int, int]] = []
    for some in slices(queries, _CHANNELS_A_STATEMENT):
        statement = text(" UNION ALL ".join(some)).bindparams(_NOW)
        found += [(row[0], row[1]) for row in session.connection().execute(statement, {"now": now})]
    return found


def _within_limits(
    session: Session, due: Sequence[tuple[int, int]], channels: Iterable[DueChannel], now: datetime
) -> list[int]:
    """The deliveries that their channels may get within this hour; claims of all notifiers count."""
    # What a channel gets that must wait is not limited.
    left = {each.id: each.limit for each in channels if each.limit is not None and not each.must_wait}
    limited = left.keys() & {channel_id for _, channel_id in due}
    if limited:
        for channel_id, used in sent_or_claimed(session, limited, now).items():
            left[channel_id] -= used
    found = []
    for id_, channel_id in due:
        if channel_id in left:
            if left[channel_id] <= 0:
                continue
            left[channel_id] -= 1
        found.append(id_)
    return found


def _claimed(session: Session, token: str, begin_until: float) -> list[DeliveryClaim]:
    """Deliveries share events and channels: each of these is read once."""
    connection = session.connection()
    taken = connection.execute(_TAKEN, {"token": token}).all()
    if not taken:
        return []
    event_ids = sorted({each.event_id for each in taken})
    rows = connection.execute(_EVENTS, {"ids": event_ids})
    events = {id_: (type_, json.loads(data), at) for id_, type_, data, at in rows}
    channel_ids = sorted({each.channel_id for each in taken})
    targets = {row.id: Target._make(row) for row in connection.execute(_TARGETS, {"ids": channel_ids})}
    return [
        DeliveryClaim(
            id_, token, message_id, attempts, *events[event_id], rule_id, targets[channel_id], begin_until
        )
        for id_, message_id, attempts, rule_id, event_id, channel_id in taken
        # Else its channel was deleted a moment ago, and the delivery goes with it.
        if event_id in events and channel_id in targets
    ]
