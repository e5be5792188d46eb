"""Made-up channels, rules, events and deliveries, for pictures of their pages."""

import json
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from productator.alerts import channels, rules
from productator.alerts.channels import ChannelKind, NewChannel
from productator.alerts.deliveries import pending
from productator.alerts.sealing import Seal
from productator.alerts.validation import RuleIn
from productator.models import AlertState, Channel, Event, Product

_CHANNELS = (
    NewChannel("Ops", ChannelKind.WEBHOOK, "https://ops.example/productator"),
    NewChannel("Anna", ChannelKind.EMAIL, "anna@shop.example", quiet_from=1320, quiet_until=420,
               time_zone="Europe/Prague"),
    NewChannel("Buyers", ChannelKind.SLACK, "https://hooks.slack.com/services/T0/B0/made-up"),
)  # fmt: skip
_REASON = "Every try has failed for five days."
_Event = tuple[float, str, int, int | None, int | None, int, str, str | None]
# Hours ago, type, number of the product, price, price before; channel, status and error of its delivery.
_EVENTS: tuple[_Event, ...] = (
    (50, "stock.out", 4, None, 5_690, 1, "delivered", None),
    (30, "price.dropped", 2, 8_990, 9_990, 2, "failed", "timed out"),
    (8, "price.new_low", 5, 2_490, 2_590, 1, "held", None),
    (2, "price.threshold", 1, 13_949, 14_329, 0, "delivered", None),
    (0.4, "stock.back", 6, 8_490, None, 0, "pending", "answered 503"),
)


def add(session: Session, *, now: datetime) -> None:
    """One channel works, one is quiet at night, and one is disabled. There must be a product."""
    products = session.scalars(select(Product).order_by(Product.id)).all()
    first, third = products[0].id, products[2 % len(products)].id
    made = [channels.create(session, each, Seal(None), now=now)[0].id for each in _CHANNELS]
    ops, anna, buyers = (session.get_one(Channel, each) for each in made)
    ops.last_success_at, anna.last_success_at = now - timedelta(hours=2), now - timedelta(hours=9)
    buyers.disabled_at, buyers.disabled_reason = now - timedelta(hours=3), _REASON
    for fields in (
        {"kind": "service", "channel_ids": made[:1]},
        {"kind": "drop", "percent": 10.0, "q": "grinder", "channel_ids": made[2:]},
        {"kind": "stale", "muted_until": now + timedelta(days=3), "channel_ids": made[:1]},
        {"kind": "out_of_stock", "product_id": third, "active": False, "channel_ids": made[1:2]},
        {"kind": "new_low", "channel_ids": made[1:2]},
        {"kind": "threshold", "product_id": first, "price": 14_000, "channel_ids": made[:2]},
    ):
        rule = rules.create(session, RuleIn(**fields), now=now - timedelta(days=9))
    fired_at = now - timedelta(hours=2)
    session.add(
        AlertState(rule_id=rule.id, product_id=first, is_fired=True, fired_at=fired_at, seen_at=fired_at)
    )
    for event in _EVENTS:
        _add_event(session, made, products[(event[2] - 1) % len(products)], event, now=now)


def _add_event(
    session: Session, channel_ids: list[int], product: Product, event: _Event, *, now: datetime
) -> None:
    hours_ago, type_, _, price, before, channel, status, error = event
    at = now - timedelta(hours=hours_ago)
    about = {"id": product.id, "name": product.name, "url": f"/products/{product.id}"}
    data = {"product": about, "price": price, "price_before": before}
    row = Event(type=type_, product_id=product.id, cause=f"made up {type_}", data=json.dumps(data),
                occurred_at=at, created_at=at)  # fmt: skip
    session.add(row)
    session.flush()
    delivery = pending(row.id, channel_ids[channel], rule_id=None, now=at)
    delivery.status, delivery.last_error = status, error
    delivery.attempts = {"delivered": 1, "failed": 8, "pending": 3}.get(status, 0)
    delivery.delivered_at = at if status == "delivered" else None
    delivery.next_try_at = now + timedelta(minutes=25) if status in {"pending", "held"} else None
    session.add(delivery)
