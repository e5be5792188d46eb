"""Routes of /api/v1/channels, for admins only."""

from typing import Any

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from productator.alerts import channels as alerts
from productator.alerts.channels import ChannelKind, ChannelRow
from productator.api.conventions.addresses import address_of
from productator.api.conventions.channel_settings import alert_networks, channel_seal
from productator.api.conventions.conditional import expected_version, tagged
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import PATCH_TYPES, read_body, read_query
from productator.api.conventions.responses import json_response, no_content
from productator.api.schemas.alert_channels import (
    ChannelIn,
    ChannelPatch,
    ChannelsQuery,
    ChannelWithSecretJson,
    channel_json,
    delivery_json,
)
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import InvalidInput

channels = Blueprint("channels", __name__, url_prefix="/api/v1/channels")


@channels.get("")
def list_channels() -> Response:
    """All channels, in pages."""
    query = read_query(ChannelsQuery)
    position = position_of(query.cursor, alerts.ORDERS[query.sort])
    with reading() as connection:
        page = alerts.page(connection, sort=query.sort, limit=query.limit, position=position)
    return page_answer(page, map(channel_json, page.rows))


@channels.post("")
def create_channel() -> Response:
    """Make a channel. The secret of a webhook is in this answer only.

    An answer that is sent again for an Idempotency-Key has no secret: answers are stored, and it is not.
    """
    new = read_body(ChannelIn).new_channel(alert_networks())
    made: list[str | None] = []

    def create(session: Session) -> Response:
        channel, secret = alerts.create(session, new, channel_seal(), now=utc_now())
        made.append(secret)
        location = address_of("channels.get_channel", channel_id=channel.id)
        return _with_secret(channel, None, 201, {"Location": location})

    return _secret_added(once(create), made)


@channels.get("/<id:channel_id>")
def get_channel(channel_id: int) -> Response:
    with reading() as connection:
        channel = alerts.get(connection, channel_id)
    return tagged(channel_json(channel), _tag(channel))


@channels.put("/<id:channel_id>")
def replace_channel(channel_id: int) -> Response:
    """Replace all that can be set; the kind stays, and so does a secret that is not given."""
    body = read_body(ChannelIn)
    patch = ChannelPatch.model_construct(
        {"name", "address", "quiet_hours", "messages_an_hour"} | ({"secret"} if body.secret else set()),
        **{name: getattr(body, name) for name in ChannelPatch.model_fields},
    )
    return _change(channel_id, patch, kind=ChannelKind(body.kind))


@channels.patch("/<id:channel_id>")
def patch_channel(channel_id: int) -> Response:
    """Change the named fields (RFC 7396)."""
    return _change(channel_id, read_body(ChannelPatch, types=PATCH_TYPES), kind=None)


@channels.delete("/<id:channel_id>")
def delete_channel(channel_id: int) -> Response:
    """Delete a channel with its deliveries; rules go on without it."""
    expected = expected_version()
    with transaction() as session:
        alerts.remove(session, channel_id, expected=expected)
    return no_content()


@channels.post("/<id:channel_id>/test")
def test_channel(channel_id: int) -> Response:
    """Send a test message, which takes the way of all others. Its success enables a disabled channel."""

    def test(session: Session) -> Response:
        delivery = alerts.test(session, channel_id, now=utc_now())
        location = address_of("deliveries.get_delivery", delivery_id=delivery.id)
        return json_response(delivery_json(delivery), 202, {"Location": location})

    return once(test)


@channels.post("/<id:channel_id>/rotate-secret")
def rotate_secret(channel_id: int) -> Response:
    """Give a webhook a new secret, shown in this answer only. The old one signs, too, for 24 hours."""
    made: list[str | None] = []

    def rotate(session: Session) -> Response:
        channel, secret = alerts.rotate_secret(session, channel_id, channel_seal(), now=utc_now())
        made.append(secret)
        return _with_secret(channel, None, 200)

    return _secret_added(once(rotate), made)


def _change(channel_id: int, patch: ChannelPatch, *, kind: ChannelKind | None) -> Response:
    expected = expected_version()
    # The address may have to be looked up, and no transaction waits for a name server.
    with reading() as connection:
        stored_kind = ChannelKind(alerts.get(connection, channel_id).kind)
    if kind not in (None, stored_kind):
        raise InvalidInput([("/kind", "The kind of a channel cannot be changed.")])
    changes = patch.changes(stored_kind, alert_networks())
    with transaction() as session:
        stored = alerts.stored(session, channel_id, expected=expected)
        channel = alerts.change(session, stored, changes, channel_seal(), now=utc_now())
    return tagged(channel_json(channel), _tag(channel))


def _tag(channel: ChannelRow) -> str:
    """The version, and what deliveries change of the answer; a writer's tag need only have the version."""
    changing = (channel.last_success_at, channel.failing_since)
    marks = ".".join("" if each is None else f"{int(each.timestamp() * 1_000_000):x}" for each in changing)
    return f"{channel.version}-{marks}"


def _with_secret(
    channel: ChannelRow, secret: str | None, status: int, headers: dict[str, str] | None = None
) -> Response:
    body: ChannelWithSecretJson = {**channel_json(channel), "secret": secret}
    return tagged(body, _tag(channel), status, headers)


def _secret_added(response: Response, made: list[str | None]) -> Response:
    """Puts a secret that this request has made into the answer, after the answer was stored without it."""
    if made and made[-1] is not None:
        body: dict[str, Any] = response.get_json()
        response.set_data(json_response(body | {"secret": made[-1]}).get_data())
    return response
