"""A product whose offers change, rules about it, and a notifier that looks when a test says so."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import rules, truth
from productator.alerts.evaluating import Evaluator
from productator.alerts.validation import RuleIn
from productator.catalogue import products
from productator.domain import NewProduct
from productator.models import Channel, Delivery, Event, Refresh
from productator.prices import recording
from productator.prices.changes import Offers, OfferState
from productator.prices.recording import Observation
from tests.factories import NOW

PERIOD = timedelta(seconds=30)
SECOND = timedelta(seconds=1)


@dataclass
class World:
    sessions: sessionmaker[Session]
    # No record may be of a time that has not come yet.
    now: datetime = NOW - timedelta(days=100)
    offers: dict[int, Offers] = field(default_factory=dict)

    def product(self, name: str = "Hand mill", price: int | None = 5_490) -> int:
        with self.sessions.begin() as session:
            product_id = products.create(session, NewProduct(name, ""), now=self.now).id
        self.offers[product_id] = {}
        if price is None:
            # A product of which nothing was ever in stock has no history.
            self.price(product_id, 1)
        self.price(product_id, price)
        return product_id

    def price(self, product_id: int, price: int | None) -> None:
        """The refresher sees this lowest price now; None: nothing is in stock."""
        after: Offers = {} if price is None else {1: OfferState("x", price, 1)}
        with self.sessions.begin() as session:
            before = self.offers[product_id]
            recording.record(session, [Observation(product_id, self.now, before, after)])
        self.offers[product_id] = after
        self.refreshed(product_id)

    def refreshed(self, product_id: int) -> None:
        with self.sessions.begin() as session:
            seen = update(Refresh).where(Refresh.product_id == product_id)
            session.execute(seen.values(refreshed_at=self.now, failures=0))

    def passes(self, time: timedelta) -> None:
        """Time passes, and all products are refreshed at its end."""
        self.now += time
        for product_id in self.offers:
            self.refreshed(product_id)

    def rule(self, kind: str, **fields: Any) -> int:
        with self.sessions.begin() as session:
            given = RuleIn.model_validate({"kind": kind} | fields)
            return rules.create(session, given, now=self.now).id

    def is_true(self, rule_id: int) -> bool | None:
        """What the rule says of itself to who reads it."""
        with self.sessions() as session:
            connection = session.connection()
            (shown,) = truth.shown(connection, [rules.get(connection, rule_id)])
            return shown.is_true

    def channel(self, name: str = "Ops") -> int:
        with self.sessions.begin() as session:
            channel = Channel(
                name=name, kind="webhook", address="https://ops.example", created_at=NOW, updated_at=NOW
            )
            session.add(channel)
            session.flush()
            return channel.id

    def looks(self) -> int:
        """The notifier works until there is nothing to do; returns how many events it wrote."""
        written = 0
        while True:
            looked_at, events = Evaluator(self.sessions, PERIOD).run_once(self.now)
            written += events
            if not looked_at:
                return written

    def events(self) -> list[tuple[str, int | None]]:
        with self.sessions() as session:
            rows = session.execute(select(Event.type, Event.data).order_by(Event.id))
            return [(type_, json.loads(data)["price"]) for type_, data in rows]

    def deliveries(self) -> int:
        with self.sessions() as session:
            return len(session.scalars(select(Delivery.id)).all())
