"""The page of deliveries, for administrators: what is on its way, what arrived, and what did not."""

from typing import NamedTuple

from flask import Response, request, url_for

from productator.alerts import channels, deliveries, events
from productator.alerts.channels import Choice
from productator.alerts.deliveries import DeliveryRow, Status
from productator.api.conventions.cursors import position_of
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import ChannelDisabled
from productator.web.alert_pages import A_PAGE, ShownEvent, next_url, shown_event
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, require_admin, see
from productator.web.parsing import id_of

alert_delivery_pages = page_blueprint("alert_delivery_pages")
alert_delivery_pages.before_request(require_admin)

STATUS_NAMES = {
    Status.PENDING: "under way",
    Status.HELD: "held",
    Status.DELIVERED: "delivered",
    Status.DIGESTED: "told in a digest",
    Status.FAILED: "failed",
    Status.DROPPED: "dropped",
}
_DONE = {
    "again": "It is sent again, with the same message id.",
    "disabled": "Nothing was sent: its channel is disabled. Test the channel first.",
}


class _Asked(NamedTuple):
    """What the address asks for; anything unknown in it counts as not given."""

    channel_id: int | None
    rule_id: int | None
    status: str | None

    @classmethod
    def current(cls) -> "_Asked":
        status = request.args.get("status", "")
        channel_id, rule_id = (id_of(request.args.get(name, "")) for name in ("channel_id", "rule_id"))
        return cls(channel_id, rule_id, status if status in set(Status) else None)


class ShownDelivery(NamedTuple):
    delivery: DeliveryRow
    status: str
    event: ShownEvent
    channel: Choice | None


@alert_delivery_pages.get("/alerts/deliveries")
def show() -> Response:
    """Deliveries, the newest first. They are kept for 30 days."""
    asked = _Asked.current()
    position = position_of(request.args.get("cursor"), deliveries.ORDERS["-id"])
    with reading() as connection:
        found = deliveries.page(connection, **asked._asdict(), sort="-id", limit=A_PAGE, position=position)
        by_id = events.of_ids(connection, {each.event_id for each in found.rows})
        offered = channels.choices(connection)
    named = {each.id: each for each in offered}
    return page(
        "alert_deliveries.html",
        deliveries=[
            ShownDelivery(
                each,
                STATUS_NAMES[Status(each.status)],
                shown_event(by_id[each.event_id]),
                named.get(each.channel_id),
            )
            for each in found.rows
            # Maintenance may have removed it in between.
            if each.event_id in by_id
        ],
        again=deliveries.AGAIN,
        asked=asked,
        offered=offered,
        statuses=STATUS_NAMES,
        next_url=next_url(found),
        first_url=url_for("alert_delivery_pages.show", **asked._asdict()) if position else None,
        done=_DONE.get(request.args.get("done", "")),
    )


@alert_delivery_pages.post("/alerts/deliveries/<id:delivery_id>/redeliver")
def redeliver(delivery_id: int) -> Response:
    """Tries it again from the first try on, with the same message id."""
    check_form()
    done = "again"
    try:
        with transaction() as session:
            deliveries.redeliver(session, delivery_id, now=utc_now())
    except ChannelDisabled:
        done = "disabled"
    return see("alert_delivery_pages.show", **_Asked.current()._asdict(), done=done)
