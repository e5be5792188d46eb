"""Rows of channels, events and deliveries, and a notifier that works on them."""

import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from notifier.metrics import NotifierMetrics
from notifier.queue.store import Store
from notifier.sending.http import HttpSender
from notifier.sending.mail import MailSender
from notifier.sending.smtp import MailServer
from notifier.worker import DeliveryWorker
from productator.alerts import channels
from productator.alerts.channels import ChannelKind, NewChannel
from productator.alerts.deliveries import announce
from productator.alerts.evaluating import Evaluator
from productator.alerts.sealing import Seal
from productator.domain import networks_in, utc_now
from productator.models import Channel, Delivery

LOOPBACK = networks_in("127.0.0.0/8")
DATA: dict[str, Any] = {
    "product": {"id": 13, "name": "Hand mill", "url": "http://shop.example/products/13"},
    "price": 4990,
    "price_before": 5290,
    "currency": "CZK",
    "rule": {"id": 1, "kind": "threshold", "sentence": "Hand mill is at or below 4,990."},
}


def new_channel(
    sessions: sessionmaker[Session], address: str, kind: ChannelKind = ChannelKind.WEBHOOK, **over: Any
) -> tuple[int, str | None]:
    """The id of a new channel, and its secret."""
    new = NewChannel(name="Ops", kind=kind, address=address, **over)
    with sessions.begin() as session:
        channel, secret = channels.create(session, new, Seal(None), now=utc_now())
        return channel.id, secret


def new_delivery(
    sessions: sessionmaker[Session],
    *channel_ids: int,
    event_type: str = "price.threshold",
    data: dict[str, Any] | None = None,
    now: datetime | None = None,
) -> list[int]:
    """The ids of due deliveries of a new event."""
    with sessions.begin() as session:
        return announce(
            session,
            event_type,
            DATA if data is None else data,
            cause=uuid4().hex,
            channel_ids=channel_ids,
            now=now or utc_now(),
        )


def deliveries(sessions: sessionmaker[Session]) -> Sequence[Delivery]:
    with sessions() as session:
        return session.scalars(select(Delivery).order_by(Delivery.id)).all()


def channel(sessions: sessionmaker[Session], channel_id: int) -> Channel:
    with sessions() as session:
        return session.get_one(Channel, channel_id)


def make_due(sessions: sessionmaker[Session]) -> None:
    """As if the time of the next try had come."""
    with sessions.begin() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.next_try_at.is_not(None))
            .values(next_try_at=utc_now() - timedelta(seconds=1))
        )


def new_worker(
    sessions: sessionmaker[Session],
    *,
    mail_server: MailServer | None = None,
    timeout_s: float = 5.0,
    public_url: str | None = None,
    price_decimals: int = 0,
    seal: Seal | None = None,
) -> DeliveryWorker:
    def mute_link(rule_id: int) -> str:
        return f"https://shop.example/mute/{rule_id}"

    http = HttpSender(LOOPBACK, concurrency=50, timeout_s=timeout_s)
    return DeliveryWorker(
        evaluator=Evaluator(sessions, timedelta(seconds=30)),
        store=Store(sessions, random.Random(1)),
        http=http,
        mail=MailSender(
            mail_server,
            allowed=LOOPBACK,
            mute_link=mute_link,
            wake=http.wake,
            timeout_s=timeout_s,
            price_decimals=price_decimals,
        ),
        seal=seal or Seal(None),
        metrics=NotifierMetrics(CollectorRegistry()),
        public_url=public_url,
        price_decimals=price_decimals,
    )


def run_until_idle(worker: DeliveryWorker) -> None:
    """Until what is due was tried and stored. The first run claims, another one finds nothing more."""
    deadline = time.monotonic() + 30
    runs = 0
    while runs < 3:
        assert time.monotonic() < deadline, "the notifier does not come to rest"
        worker.turn()
        runs = runs + 1 if worker.is_idle else 0


def deliver(sessions: sessionmaker[Session], **options: Any) -> None:
    worker = new_worker(sessions, **options)
    run_until_idle(worker)
    worker.finish()
