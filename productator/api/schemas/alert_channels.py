"""What clients send and get about channels and deliveries."""

import re
from collections.abc import Collection
from functools import cache
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from typing_extensions import TypedDict

from productator.alerts.channels import MESSAGES_AN_HOUR, TOKEN_KINDS, ChannelKind, ChannelRow, NewChannel
from productator.alerts.deliveries import DeliveryRow, Status
from productator.alerts.targets import wrong_mail_addresses, wrong_url
from productator.api.schemas.answers import Id, Time
from productator.api.schemas.bodies import Patch
from productator.api.schemas.queries import Cursor, IdInQuery, Limit, Query
from productator.catalogue.validation import NAME_PATTERN, StrictModel, Whole, is_blank, storable
from productator.domain import Network, time_json
from productator.errors import InvalidInput
from productator.models.alerts import ADDRESS_LENGTH, CHANNEL_NAME_LENGTH

_MOST_MESSAGES = 10_000
_LONGEST_TOKEN = 200
_TIME_PATTERN = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
_Kind = Literal["webhook", "slack", "discord", "mattermost", "ntfy", "gotify", "apprise", "email"]


def _one_line(text: str) -> str:
    if is_blank(text):
        raise ValueError("must not be blank")
    if len(text.splitlines()) > 1:
        raise ValueError("must be one line")
    return storable(text)


@cache
def _zones() -> frozenset[str]:
    """Names that mean the same on every machine."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("must be a time zone such as Europe/Prague")
    return name


_Clock = Annotated[str, Field(pattern=_TIME_PATTERN)]
_Zone = Annotated[
    str,
    Field(max_length=64, pattern="^[A-Za-z0-9_+/-]+$", examples=["Europe/Prague"]),
    AfterValidator(_known_zone),
]


class QuietHoursIn(StrictModel):
    """From the first time of the day to the second one, by the clocks of the zone; it may pass midnight."""

    begin: Annotated[_Clock, Field(examples=["22:00"])]
    end: Annotated[_Clock, Field(examples=["07:00"])]
    time_zone: _Zone

    @field_validator("end")
    @classmethod
    def _ends_later(cls, end: str, info: ValidationInfo) -> str:
        if end == info.data.get("begin"):
            raise ValueError("must differ from begin: no hour would be quiet")
        return end

    def columns(self) -> dict[str, Any]:
        """Of the fields that are given."""
        columns: dict[str, Any] = {
            name: _minutes(getattr(self, field))
            for field, name in (("begin", "quiet_from"), ("end", "quiet_until"))
            if field in self.model_fields_set
        }
        return columns | ({"time_zone": self.time_zone} if "time_zone" in self.model_fields_set else {})


class QuietHoursPatch(QuietHoursIn, Patch):
    """A merge patch: absent fields stay."""

    begin: Annotated[_Clock, Field(examples=["22:00"])] = ""
    end: Annotated[_Clock, Field(examples=["07:00"])] = ""
    time_zone: _Zone = ""


_NO_QUIET_HOURS: dict[str, Any] = {"quiet_from": None, "quiet_until": None, "time_zone": None}
_Name = Annotated[
    str,
    Field(min_length=1, max_length=CHANNEL_NAME_LENGTH, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(_one_line),
]
_Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=ADDRESS_LENGTH,
        description="An http or https address; of `email`: mail addresses with commas between them.",
    ),
    AfterValidator(storable),
]
_Secret = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST_TOKEN,
        pattern="^[!-~]+$",
        description="The token of ntfy or Gotify. A webhook's secret is made here.",
    ),
]
_Messages = Annotated[
    int, Field(ge=1, le=_MOST_MESSAGES, description="More are sent in one digest; null: no limit."), Whole
]


class ChannelIn(StrictModel):
    name: _Name
    kind: Annotated[_Kind, Field(description="It cannot be changed later.")]
    address: _Address
    secret: _Secret | None = None
    quiet_hours: QuietHoursIn | None = None
    messages_an_hour: _Messages | None = MESSAGES_AN_HOUR

    def new_channel(self, allowed: Collection[Network]) -> NewChannel:
        """Raises InvalidInput."""
        kind = ChannelKind(self.kind)
        refuse_wrong(kind, self.address, self.secret, allowed)
        quiet = _NO_QUIET_HOURS if self.quiet_hours is None else self.quiet_hours.columns()
        return NewChannel(
            self.name, kind, self.address, self.secret, messages_an_hour=self.messages_an_hour, **quiet
        )


class ChannelPatch(Patch):
    """A merge patch: absent fields stay, and null removes."""

    name: _Name = ""
    address: _Address = ""
    secret: _Secret | None = None
    quiet_hours: QuietHoursPatch | None = None
    messages_an_hour: _Messages | None = None

    def changes(self, kind: ChannelKind, allowed: Collection[Network]) -> dict[str, Any]:
        """Raises InvalidInput."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"quiet_hours"}}
        refuse_wrong(kind, given.get("address"), given.get("secret"), allowed)
        if kind is ChannelKind.WEBHOOK:
            given.pop("secret", None)
        if "quiet_hours" in self.model_fields_set:
            given |= _NO_QUIET_HOURS if self.quiet_hours is None else self.quiet_hours.columns()
        return given


def refuse_wrong(
    kind: ChannelKind, address: str | None, secret: str | None, allowed: Collection[Network]
) -> None:
    """Raises InvalidInput if a channel of the kind cannot have the address or the secret."""
    wrong = []
    if address is not None:
        is_mail = kind is ChannelKind.EMAIL
        why = wrong_mail_addresses(address) if is_mail else wrong_url(address, allowed)
        wrong += [("/address", why)] if why else []
    if secret is not None and kind not in TOKEN_KINDS:
        wrong.append(("/secret", "Only ntfy and Gotify take a token."))
    if wrong:
        raise InvalidInput(wrong)


class ChannelsQuery(Query):
    sort: Literal["id", "-id"] = "id"
    limit: Limit = 50
    cursor: Cursor | None = None


class DeliveriesQuery(Query):
    channel_id: IdInQuery | None = None
    rule_id: IdInQuery | None = None
    status: Literal["pending", "held", "delivered", "digested", "failed", "dropped"] | None = None
    sort: Literal["id", "-id"] = "-id"
    limit: Limit = 50
    cursor: Cursor | None = None


class QuietHoursJson(TypedDict):
    begin: Annotated[str, Field(pattern=_TIME_PATTERN)]
    end: Annotated[str, Field(pattern=_TIME_PATTERN)]
    time_zone: str


class ChannelJson(TypedDict):
    id: Id
    name: str
    kind: _Kind
    address: str
    has_secret: bool
    old_secret_until: Annotated[
        Time | None, Field(description="After a rotation: until when the old secret signs, too.")
    ]
    quiet_hours: QuietHoursJson | None
    messages_an_hour: int | None
    last_success_at: Time | None
    failing_since: Annotated[Time | None, Field(description="Since when every delivery has failed.")]
    disabled_at: Annotated[Time | None, Field(description="Null: it delivers.")]
    disabled_reason: str | None
    created_at: Time
    updated_at: Time


class ChannelWithSecretJson(ChannelJson):
    secret: Annotated[
        str | None, Field(description="Of a webhook: the secret of its signatures, shown this once.")
    ]


class DeliveryJson(TypedDict):
    id: Id
    event_id: Id
    type: Annotated[str, Field(description="Of the event.")]
    channel_id: Id
    rule_id: Id | None
    message_id: Annotated[str, Field(description="The `webhook-id`, the same on every try.")]
    status: Literal["pending", "held", "delivered", "digested", "failed", "dropped"]
    attempts: Annotated[int, Field(ge=0)]
    next_try_at: Time | None
    last_status: Annotated[int | None, Field(description="The status that the receiver answered last.")]
    last_error: str | None
    created_at: Time
    delivered_at: Time | None


def channel_json(channel: ChannelRow) -> ChannelJson:
    quiet: QuietHoursJson | None = None
    if channel.quiet_from is not None and channel.quiet_until is not None and channel.time_zone is not None:
        quiet = {
            "begin": _clock(channel.quiet_from),
            "end": _clock(channel.quiet_until),
            "time_zone": channel.time_zone,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": ChannelKind(channel.kind).value,
        "address": channel.address,
        "has_secret": bool(channel.has_secret),
        "old_secret_until": _time(channel.old_secret_until),
        "quiet_hours": quiet,
        "messages_an_hour": channel.messages_an_hour,
        "last_success_at": _time(channel.last_success_at),
        "failing_since": _time(channel.failing_since),
        "disabled_at": _time(channel.disabled_at),
        "disabled_reason": channel.disabled_reason,
        "created_at": time_json(channel.created_at),
        "updated_at": time_json(channel.updated_at),
    }


def delivery_json(delivery: DeliveryRow) -> DeliveryJson:
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "type": delivery.event_type,
        "channel_id": delivery.channel_id,
        "rule_id": delivery.rule_id,
        "message_id": delivery.message_id,
        "status": Status(delivery.status).value,
        "attempts": delivery.attempts,
        "next_try_at": _time(delivery.next_try_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": time_json(delivery.created_at),
        "delivered_at": _time(delivery.delivered_at),
    }


def _time(time: Any) -> str | None:
    return None if time is None else time_json(time)


def _minutes(clock: str) -> int:
    hours, minutes = re.split(":", clock)
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    return "{:02}:{:02}".format(*divmod(minutes, 60))
