"""Events: what rules told, each written once with its deliveries."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from productator.alerts import deliveries, sentences
from productator.alerts.firing import Firing, Kind
from productator.database.keyset import Page, Position, orders, read_page
from productator.domain import time_json
from productator.errors import EventNotFound
from productator.models import AlertRule, Channel, Event, RuleChannel
from productator.prices.segments import time_of

TYPE_OF_KIND = {
    Kind.THRESHOLD: "price.threshold",
    Kind.DROP: "price.dropped",
    Kind.RISE: "price.rose",
    Kind.NEW_LOW: "price.new_low",
    Kind.BACK_IN_STOCK: "stock.back",
    Kind.OUT_OF_STOCK: "stock.out",
    Kind.STALE: "product.stale",
    Kind.FAILING: "product.failing",
    Kind.SERVICE: "service.down",
}
SERVICE_UP = "service.up"


class Subject(NamedTuple):
    """The product that an event is about."""

    product_id: int
    name: str


class EventRow(NamedTuple):
    id: int
    type: str
    rule_id: int | None
    product_id: int | None
    # JSON.
    data: str
    occurred_at: datetime
    created_at: datetime


_COLUMNS = [getattr(Event, name) for name in EventRow._fields]
ORDERS = orders(Event.id, id=Event.id)


def write(
    session: Session,
    rule: AlertRule,
    about: Subject | None,
    firing: Firing,
    *,
    now: datetime,
    type_: str | None = None,
    price_before: int | None = None,
    currency: str | None = None,
) -> bool:
    """Writes the event and its deliveries, unless there is one of the same cause already."""
    type_ = type_ or TYPE_OF_KIND[Kind(rule.kind)]
    cause = f"{rule.id}:{about.product_id if about else type_}:{firing.since}"
    # Another notifier that writes it at the same time makes this transaction fail, and it is done again.
    if session.scalar(select(Event.id).where(Event.cause == cause)) is not None:
        return False
    channels = session.execute(
        select(Channel.id, Channel.name)
        .join(RuleChannel, RuleChannel.channel_id == Channel.id)
        .where(RuleChannel.rule_id == rule.id)
        .order_by(Channel.id)
    ).all()
    data: dict[str, Any] = {
        "product": about
        and {"id": about.product_id, "name": about.name, "url": f"/products/{about.product_id}"},
        "price": firing.price,
        "price_before": price_before,
        "limit": firing.limit,
        "currency": currency,
        "rule": {
            "id": rule.id,
            "kind": rule.kind,
            "sentence": sentences.sentence(
                rule, product=about and about.name, channels=[name for _, name in channels]
            ),
        },
        "changed_at": time_json(time_of(firing.since)),
    }
    event = Event(
        type=type_,
        rule_id=rule.id,
        product_id=about and about.product_id,
        cause=cause,
        data=json.dumps(data, ensure_ascii=False),
        occurred_at=time_of(firing.since),
        created_at=now,
    )
    session.add(event)
    session.flush()
    if rule.muted_until is None or rule.muted_until <= now:
        session.add_all(
            deliveries.pending(event.id, channel_id, rule_id=rule.id, now=now) for channel_id, _ in channels
        )
    return True


def get(connection: Connection, event_id: int) -> EventRow:
    row = connection.execute(select(*_COLUMNS).where(Event.id == event_id)).one_or_none()
    if row is None:
        raise EventNotFound(event_id)
    return EventRow._make(row)


def of_ids(connection: Connection, event_ids: Collection[int]) -> dict[int, EventRow]:
    found = connection.execute(select(*_COLUMNS).where(Event.id.in_(event_ids)))
    return {row.id: EventRow._make(row) for row in found}


def page(
    connection: Connection,
    *,
    type_: str | None,
    product_id: int | None,
    sort: str,
    limit: int,
    position: Position | None,
) -> Page[EventRow]:
    query = select(*_COLUMNS)
    if type_ is not None:
        query = query.where(Event.type == type_)
    if product_id is not None:
        query = query.where(Event.product_id == product_id)
    return read_page(connection, query, ORDERS[sort], limit=limit, position=position).map(EventRow._make)
