"""Measures the notifier on MariaDB: deliveries a second to many endpoints, some of which hang.

python -m lab.benchmarks.notifier --deliveries 100000 --endpoints 200 --hanging 10
"""

import asyncio
import multiprocessing
import random
import socket
import time
from datetime import timedelta

import click
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from lab import databases
from notifier.metrics import NotifierMetrics
from notifier.queue.store import Store
from notifier.sending.http import HttpSender
from notifier.sending.mail import MailSender
from notifier.worker import DeliveryWorker
from productator.alerts import channels
from productator.alerts.channels import ChannelKind, NewChannel
from productator.alerts.deliveries import Status
from productator.alerts.evaluating import Evaluator
from productator.alerts.sealing import Seal
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import networks_in, utc_now
from productator.models import Delivery, Event

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_ROWS_A_STATEMENT = 2_000


@click.command()
@click.option("--deliveries", default=100_000, show_default=True)
@click.option("--endpoints", default=200, show_default=True)
@click.option("--hanging", default=10, show_default=True)
@click.option("--seconds", default=120.0, show_default=True, help="The longest time to measure.")
def main(*, deliveries: int, endpoints: int, hanging: int, seconds: float) -> None:
    with databases.mariadb_url() as url:
        server = databases.Server(url, outlives_tests=False)
        engine = make_engine(server.new())
        migrate.migrate(engine)
        _measure(engine, deliveries=deliveries, endpoints=endpoints, hanging=hanging, seconds=seconds)
        engine.dispose()
        server.drop_all()


def _measure(engine: Engine, *, deliveries: int, endpoints: int, hanging: int, seconds: float) -> None:
    sessions = sessionmaker(engine)
    ports = [_free_port() for _ in range(2)]
    receivers = [
        multiprocessing.Process(target=_receive, args=(port, hangs), daemon=True)
        for port, hangs in zip(ports, (False, True), strict=True)
    ]
    for each in receivers:
        each.start()
    time.sleep(1)
    ids = [
        _channel(sessions, f"http://127.0.0.1:{ports[number < hanging]}/{number}")
        for number in range(endpoints)
    ]
    _fill(sessions, ids, deliveries // endpoints)
    worker = _worker(sessions)
    expected = deliveries // endpoints * (endpoints - hanging)
    began, started_at = time.monotonic(), utc_now()
    while time.monotonic() - began < seconds and _delivered(sessions) < expected:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            worker.turn()
    took_s = time.monotonic() - began
    with sessions() as session:
        times = session.scalars(select(Delivery.delivered_at).where(Delivery.delivered_at.is_not(None))).all()
    after = sorted((each - started_at).total_seconds() for each in times if each is not None)
    worker.finish()
    for each in receivers:
        each.terminate()
    print(f"{len(after)} of {expected} delivered in {took_s:.1f} s: {len(after) / took_s:.0f} a second")
    print(f"the last of each hundred after: p50 {_part(after, 0.5):.1f} s, p99 {_part(after, 0.99):.1f} s")


def _part(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _delivered(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        query = select(func.count()).select_from(Delivery).where(Delivery.status == Status.DELIVERED)
        return session.scalar(query) or 0


def _channel(sessions: sessionmaker[Session], address: str) -> int:
    new = NewChannel("Lab", ChannelKind.WEBHOOK, address, messages_an_hour=None)
    with sessions.begin() as session:
        return channels.create(session, new, Seal(None), now=utc_now())[0].id


def _fill(sessions: sessionmaker[Session], channel_ids: list[int], events: int) -> None:
    now = utc_now() - timedelta(seconds=1)
    with sessions.begin() as session:
        rows = [
            {
                "type": "price.threshold",
                "cause": f"lab:{number}",
                "data": '{"price":4990}',
                "occurred_at": now,
                "created_at": now,
            }
            for number in range(events)
        ]
        session.execute(insert(Event), rows)
        event_ids = session.scalars(select(Event.id)).all()
    all_rows = [
        {
            "event_id": event_id,
            "channel_id": channel_id,
            "message_id": f"msg_{event_id}_{channel_id}",
            "status": Status.PENDING,
            "attempts": 0,
            "next_try_at": now,
            "created_at": now,
        }
        for event_id in event_ids
        for channel_id in channel_ids
    ]
    for start in range(0, len(all_rows), _ROWS_A_STATEMENT):
        with sessions.begin() as session:
            session.execute(insert(Delivery), all_rows[start : start + _ROWS_A_STATEMENT])


def _worker(sessions: sessionmaker[Session]) -> DeliveryWorker:
    http = HttpSender(networks_in("127.0.0.0/8"), concurrency=500)
    return DeliveryWorker(
        evaluator=Evaluator(sessions, timedelta(seconds=30)),
        store=Store(sessions, random.Random(1)),
        http=http,
        mail=MailSender(None, mute_link=lambda _: None, wake=http.wake),
        seal=Seal(None),
        metrics=NotifierMetrics(CollectorRegistry()),
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _receive(port: int, hangs: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                if hangs:
                    await asyncio.sleep(3600)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1000)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
