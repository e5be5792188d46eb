"""Channels: where alerts are delivered."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from productator.alerts import deliveries
from productator.alerts.deliveries import DeliveryRow
from productator.alerts.sealing import Seal
from productator.catalogue import versions
from productator.catalogue.versions import ANY_VERSION, Expected
from productator.database.keyset import Page, Position, orders, read_page
from productator.errors import ChannelNotFound, ChannelSignsNothing, InvalidInput
from productator.models import Channel
from productator.prices.segments import microseconds

MESSAGES_AN_HOUR = 20
# After a rotation, messages are signed with the old secret, too, for so long.
BOTH_SECRETS_FOR = timedelta(hours=24)
# As many sign beside the new one if several rotations follow each other.
_OLD_SECRETS = 2
_SECRET_BYTES = 24
# The columns of their fields.
_QUIET_HOURS = {"begin": "quiet_from", "end": "quiet_until", "time_zone": "time_zone"}
_WHY_MESSAGES_WAIT = (*_QUIET_HOURS.values(), "messages_an_hour")


class ChannelKind(StrEnum):
    WEBHOOK = "webhook"
    SLACK = "slack"
    DISCORD = "discord"
    MATTERMOST = "mattermost"
    NTFY = "ntfy"
    GOTIFY = "gotify"
    APPRISE = "apprise"
    EMAIL = "email"


# Kinds that take a token of the service as their secret. A webhook's secret is made here.
TOKEN_KINDS = frozenset({ChannelKind.NTFY, ChannelKind.GOTIFY})


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What an admin sets. Quiet hours are minutes since midnight in the time zone."""

    name: str
    kind: ChannelKind
    address: str
    secret: str | None = None
    quiet_from: int | None = None
    quiet_until: int | None = None
    time_zone: str | None = None
    messages_an_hour: int | None = MESSAGES_AN_HOUR


class ChannelRow(NamedTuple):
    """A stored channel, without its secrets."""

    id: int
    name: str
    kind: str
    address: str
    has_secret: bool
    old_secret_until: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    quiet_from: int | None
    quiet_until: int | None
    time_zone: str | None
    messages_an_hour: int | None
    last_success_at: datetime | None
    failing_since: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class Choice(NamedTuple):
    """What everybody may know who makes rules."""

    id: int
    name: str
    kind: str
    disabled_at: datetime | None


# Nobody chooses among more, and nobody reads more names.
_CHOICES, _NAMES = 1_000, 5
ORDERS = orders(Channel.id, id=Channel.id)
_COLUMNS = [
    Channel.secret.is_not(None).label(name) if name == "has_secret" else getattr(Channel, name)
    for name in ChannelRow._fields
]


def create(session: Session, new: NewChannel, seal: Seal, *, now: datetime) -> tuple[ChannelRow, str | None]:
    """Creates a channel; returns it with the secret that was made for it, which nobody can read later."""
    made = _new_secret() if new.kind is ChannelKind.WEBHOOK else None
    secret = made or new.secret
    channel = Channel(
        name=new.name,
        kind=new.kind,
        address=new.address,
        secret=None if secret is None else seal.close(secret),
        quiet_from=new.quiet_from,
        quiet_until=new.quiet_until,
        time_zone=new.time_zone,
        messages_an_hour=new.messages_an_hour,
        created_at=now,
        updated_at=now,
    )
    session.add(channel)
    session.flush()
    return _row(channel), made


def get(connection: Connection, channel_id: int) -> ChannelRow:
    row = connection.execute(select(*_COLUMNS).where(Channel.id == channel_id)).one_or_none()
    if row is None:
        raise ChannelNotFound(channel_id)
    return ChannelRow._make(row)


def page(connection: Connection, *, sort: str, limit: int, position: Position | None) -> Page[ChannelRow]:
    found = read_page(connection, select(*_COLUMNS), ORDERS[sort], limit=limit, position=position)
    return found.map(ChannelRow._make)


def choices(connection: Connection) -> list[Choice]:
    """The channels that a rule may have, by name."""
    columns = [getattr(Channel, name) for name in Choice._fields]
    query = select(*columns).order_by(Channel.name, Channel.id).limit(_CHOICES)
    return [Choice._make(row) for row in connection.execute(query)]


def disabled_names(connection: Connection) -> list[str]:
    """Of channels that deliver nothing until a test succeeds."""
    query = select(Channel.name).where(Channel.disabled_at.is_not(None)).order_by(Channel.id)
    return list(connection.scalars(query.limit(_NAMES)))


def stored(session: Session, channel_id: int, *, expected: Expected = ANY_VERSION) -> Channel:
    """The channel, locked."""
    channel = session.get(Channel, channel_id, with_for_update=True)
    if channel is None:
        raise ChannelNotFound(channel_id)
    versions.check(channel, expected)
    return channel


def change(
    session: Session, channel: Channel, changes: Mapping[str, Any], seal: Seal, *, now: datetime
) -> ChannelRow:
    """Sets the named fields of a channel that `stored` has returned; raises InvalidInput."""
    changes = dict(changes)
    _refuse_wrong_quiet_hours(channel, changes)
    if changes.get("secret") is not None:
        is_same = channel.secret is not None and seal.open(channel.secret) == changes["secret"]
        changes["secret"] = channel.secret if is_same else seal.close(changes["secret"])
    is_judged_anew = any(
        name in changes and changes[name] != getattr(channel, name) for name in _WHY_MESSAGES_WAIT
    )
    versions.apply(session, channel, changes, now=now)
    if is_judged_anew:
        deliveries.judge_anew(session, channel.id, now=now)
    return _row(channel)


def remove(session: Session, channel_id: int, *, expected: Expected = ANY_VERSION) -> None:
    """Deletes the channel with its deliveries; rules go on without it."""
    session.delete(stored(session, channel_id, expected=expected))
    session.flush()


def rotate_secret(session: Session, channel_id: int, seal: Seal, *, now: datetime) -> tuple[ChannelRow, str]:
    """Gives a webhook a new secret, which is returned this once; the old ones sign for another day."""
    channel = stored(session, channel_id)
    if channel.kind != ChannelKind.WEBHOOK:
        raise ChannelSignsNothing(channel_id)
    secret = _new_secret()
    # Perhaps no receiver has the secret of a rotation that was a moment ago: the one before it signs on, too.
    valid = [channel.secret] if channel.secret else []
    valid += old_secrets(channel.old_secret, channel.old_secret_until, now)
    channel.old_secret = " ".join(valid[:_OLD_SECRETS]) or None
    channel.old_secret_until = now + BOTH_SECRETS_FOR
    channel.secret, channel.updated_at = seal.close(secret), now
    session.flush()
    return _row(channel), secret


def old_secrets(stored: str | None, until: datetime | None, now: datetime) -> list[str]:
    """Those that sign beside the new one, as they are stored; the newest first."""
    return stored.split() if stored and until and until > now else []


def encrypt_secrets(session: Session, seal: Seal) -> int:
    """Encrypts all secrets anew; returns of how many channels. Raises SecretUnreadable."""
    query = select(Channel).where(Channel.secret.is_not(None) | Channel.old_secret.is_not(None))
    found = session.scalars(query.order_by(Channel.id).with_for_update()).all()
    for channel in found:
        channel.secret, channel.old_secret = (
            None if each is None else " ".join(seal.close(seal.open(one)) for one in each.split())
            for each in (channel.secret, channel.old_secret)
        )
    return len(found)


def test(session: Session, channel_id: int, *, now: datetime) -> DeliveryRow:
    """Writes a test message, which takes the way of all others; its success enables a disabled channel."""
    channel = stored(session, channel_id)
    (delivery_id,) = deliveries.announce(
        session,
        deliveries.TEST,
        {"channel": {"id": channel_id, "name": channel.name}},
        cause=f"test:{channel_id}:{microseconds(now)}:{secrets.token_hex(4)}",
        channel_ids=[channel_id],
        now=now,
    )
    return deliveries.get(session.connection(), delivery_id)


def _refuse_wrong_quiet_hours(channel: Channel, changes: Mapping[str, Any]) -> None:
    """A patch may name one field of quiet hours: what it makes of them must be acceptable as a whole."""
    if not changes.keys() & set(_QUIET_HOURS.values()):
        return
    values = {field: changes.get(column, getattr(channel, column)) for field, column in _QUIET_HOURS.items()}
    missing = [field for field, value in values.items() if value is None]
    if missing and len(missing) < len(values):
        raise InvalidInput([(f"/quiet_hours/{field}", "Field required.") for field in missing])
    if not missing and values["begin"] == values["end"]:
        raise InvalidInput([("/quiet_hours/end", "Must differ from begin: no hour would be quiet.")])


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _row(channel: Channel) -> ChannelRow:
    values = {name: getattr(channel, name) for name in ChannelRow._fields if name != "has_secret"}
    return ChannelRow(**values, has_secret=channel.secret is not None)
