"""The pages of alerts that everybody may read: the rules with their truth, and the events that they gave."""

import json
from typing import Any, NamedTuple

from flask import Response, request, url_for
from sqlalchemy import Connection

from productator.alerts import backlog, events, rules, truth
from productator.alerts.events import EventRow
from productator.alerts.truth import ShownRule
from productator.api.conventions.cursors import next_url_of, position_of
from productator.database.keyset import Page
from productator.database.web import reading
from productator.domain import utc_now
from productator.web import formats
from productator.web.pages import page, page_blueprint

alert_pages = page_blueprint("alert_pages")

A_PAGE = 50
EVENT_NAMES = {
    "price.threshold": "Price reached",
    "price.dropped": "Price fell",
    "price.rose": "Price rose",
    "price.new_low": "New low",
    "stock.back": "Back in stock",
    "stock.out": "Out of stock",
    "product.stale": "Old prices",
    "product.failing": "Refreshes fail",
    "service.down": "Offers service down",
    "service.up": "Offers service up again",
    "channel.disabled": "Channel disabled",
    "digest": "Digest",
    "test": "Test",
}
# What a form that led here has done.
DONE = {
    "rule": "The rule was made. If it is true already, that is no news: it is told when it comes true again.",
    "rule-before": "This form was sent before, and had made the rule. Nothing was made again.",
    "rule-changed": "The rule was changed.",
    "rule-deleted": "The rule was deleted. Its events stay.",
    "muted": "The rule is muted: its events are kept, and delivered to nobody.",
    "unmuted": "The rule is no longer muted.",
    "told": "It is told now.",
    "not-told": "Nothing was told: it is not true any more, or the rule is switched off.",
}


class ShownEvent(NamedTuple):
    """An event, with what its data says about it."""

    event: EventRow
    name: str
    product: str | None
    price: int | None
    price_before: int | None
    # About which channel it is, if it is about one.
    channel: str | None


@alert_pages.get("/alerts")
def show() -> Response:
    """All rules, each as a sentence with its truth now."""
    position = position_of(request.args.get("cursor"), rules.ORDERS["-id"])
    now = utc_now()
    with reading() as connection:
        found = rules.page(connection, sort="-id", limit=A_PAGE, position=position)
        shown = truth.shown(connection, found.rows, amount=formats.price)
        waiting = backlog.read(connection, now=now)
    return page(
        "alerts.html",
        rules=shown,
        late_since=waiting.waiting_since if waiting.is_late(now=now) else None,
        now=now,
        next_url=next_url(found),
        is_first_page=position is None,
        done=DONE.get(request.args.get("done", "")),
    )


@alert_pages.get("/alerts/events")
def show_events() -> Response:
    """What the rules told, the newest first."""
    asked = request.args.get("type", "")
    type_ = asked if asked in EVENT_NAMES else None
    position = position_of(request.args.get("cursor"), events.ORDERS["-id"])
    with reading() as connection:
        found = events.page(
            connection, type_=type_, product_id=None, sort="-id", limit=A_PAGE, position=position
        )
    return page(
        "alert_events.html",
        events=[shown_event(each) for each in found.rows],
        asked=type_,
        names=EVENT_NAMES,
        next_url=next_url(found),
        first_url=url_for("alert_pages.show_events", type=type_) if position else None,
    )


def rules_of_product(connection: Connection, product_id: int) -> list[ShownRule]:
    """As many as the page of a product shows."""
    return truth.shown(connection, rules.of_product(connection, product_id, limit=50), amount=formats.price)


def shown_event(event: EventRow) -> ShownEvent:
    data = json.loads(event.data)
    product, channel = data.get("product"), data.get("channel")
    return ShownEvent(
        event,
        EVENT_NAMES.get(event.type, event.type),
        product and product["name"],
        data.get("price"),
        data.get("price_before"),
        channel and channel.get("name"),
    )


def next_url(found: Page[Any]) -> str | None:
    return None if found.position is None else next_url_of(found.position)
