"""The page of channels, for administrators: how each does, and tests."""

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Response, request
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from productator.alerts import channels, deliveries
from productator.alerts.channels import ChannelKind, ChannelRow
from productator.alerts.deliveries import DeliveryRow
from productator.api.conventions.cursors import position_of
from productator.api.conventions.idempotency import once_for
from productator.api.schemas.alert_channels import QuietHoursJson, channel_json
from productator.database.web import reading
from productator.domain import utc_now
from productator.errors import DeliveryNotFound
from productator.web.alert_pages import A_PAGE, next_url
from productator.web.form_keys import keyed_form
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, require_admin, see
from productator.web.parsing import id_of

alert_channel_pages = page_blueprint("alert_channel_pages")
alert_channel_pages.before_request(require_admin)

KIND_NAMES = {
    ChannelKind.WEBHOOK: "Webhook",
    ChannelKind.SLACK: "Slack",
    ChannelKind.DISCORD: "Discord",
    ChannelKind.MATTERMOST: "Mattermost",
    ChannelKind.NTFY: "ntfy",
    ChannelKind.GOTIFY: "Gotify",
    ChannelKind.APPRISE: "Apprise",
    ChannelKind.EMAIL: "Mail",
}
# The path of these addresses is a secret.
_SECRET_PATHS = {ChannelKind.SLACK, ChannelKind.DISCORD, ChannelKind.MATTERMOST, ChannelKind.APPRISE}
_DONE = {
    "made": "The channel was made. Test it: nobody likes an alert that does not come.",
    "made-before": "This form was sent before, and had made the channel. Nothing was made again. If you have"
    " not copied the secret of a webhook, make a new one on its page.",
    "rotated-before": "This form was sent before, and had made a new secret. If you have not copied it, make"
    " another one.",
    "changed": "The channel was changed.",
    "deleted": "The channel was deleted, with its deliveries. Rules go on without it.",
}


class ShownChannel(NamedTuple):
    channel: ChannelRow
    kind: str
    address: str
    quiet_hours: QuietHoursJson | None


@alert_channel_pages.get("/alerts/channels")
def show() -> Response:
    """All channels, and what became of the test that was asked for last."""
    position = position_of(request.args.get("cursor"), channels.ORDERS["id"])
    with reading() as connection:
        found = channels.page(connection, sort="id", limit=A_PAGE, position=position)
        tested = _tested(connection)
        test_of = channels.get(connection, tested.channel_id) if tested else None
    return page(
        "alert_channels.html",
        channels=[_shown(each) for each in found.rows],
        now=utc_now(),
        tested=tested,
        test_of=test_of,
        next_url=next_url(found),
        is_first_page=position is None,
        done=_DONE.get(request.args.get("done", "")),
    )


@alert_channel_pages.post("/alerts/channels/<id:channel_id>/test")
def test(channel_id: int) -> Response:
    """Sends a test message once, which takes the way of all others."""
    check_form()

    def work(session: Session) -> Response:
        return see("alert_channel_pages.show", tested=channels.test(session, channel_id, now=utc_now()).id)

    return once_for(keyed_form(), work)


def shortened(channel: ChannelRow) -> str:
    """The address, without what is secret in it."""
    if channel.kind not in _SECRET_PATHS:
        return channel.address
    parts = urlsplit(channel.address)
    return f"{parts.scheme}://{parts.netloc}/…"


def _shown(channel: ChannelRow) -> ShownChannel:
    kind = KIND_NAMES[ChannelKind(channel.kind)]
    return ShownChannel(channel, kind, shortened(channel), channel_json(channel)["quiet_hours"])


def _tested(connection: Connection) -> DeliveryRow | None:
    asked = id_of(request.args.get("tested", ""))
    if asked is None:
        return None
    try:
        found = deliveries.get(connection, asked)
    except DeliveryNotFound:
        return None
    return found if found.event_type == deliveries.TEST else None
