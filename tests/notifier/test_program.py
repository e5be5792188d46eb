"""The notifier as a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from sqlalchemy.orm import Session, sessionmaker

from tests.notifier import rows
from tests.notifier.receivers import Receiver

Sessions = sessionmaker[Session]
Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start_one() -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "DATABASE_URL": database_url,
            "NOTIFIER_METRICS_PORT": "0",
            "PRODUCTATOR_ALERT_NETWORKS": "127.0.0.0/8",
        }
        started.append(subprocess.Popen([sys.executable, "-m", "notifier"], env=environment))
        return started[-1]

    yield start_one
    for each in started:
        each.kill()
        each.wait()


def _eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_delivers_and_ends_when_it_is_asked_to(
    sessions: Sessions, receiver: Receiver, start: Start
) -> None:
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    rows.new_delivery(sessions, channel_id)
    notifier = start()
    _eventually(lambda: rows.deliveries(sessions)[0].status == "delivered")

    notifier.send_signal(signal.SIGTERM)

    assert notifier.wait(timeout=20) == 0


def test_it_ends_while_a_receiver_hangs_and_gives_the_rest_back(
    sessions: Sessions, receiver: Receiver, start: Start
) -> None:
    receiver.hang = threading.Event()
    channel_id, _ = rows.new_channel(sessions, receiver.address)
    for _ in range(6):
        rows.new_delivery(sessions, channel_id)
    notifier = start()
    _eventually(lambda: len(receiver.requests) == 2)

    notifier.send_signal(signal.SIGTERM)

    assert notifier.wait(timeout=30) == 0
    claimed = [each.claim_token is not None for each in rows.deliveries(sessions)]
    # What was under way may have arrived, so its lease ends first.
    assert sorted(claimed) == [False] * 4 + [True] * 2


def test_notifiers_that_are_killed_lose_no_delivery_and_repeat_only_with_the_same_id(
    sessions: Sessions, receiver: Receiver, start: Start
) -> None:
    channel_ids = [rows.new_channel(sessions, receiver.address, messages_an_hour=None)[0] for _ in range(10)]
    for _ in range(30):
        rows.new_delivery(sessions, *channel_ids)
    ids = {each.message_id for each in rows.deliveries(sessions)}

    for kill in range(1, 4):
        notifier = start()
        _eventually(lambda least=kill * 50: len(receiver.requests) >= least)  # type: ignore[misc]
        notifier.kill()
        notifier.wait()
        rows.make_due(sessions)
    rows.deliver(sessions)

    assert {each.status for each in rows.deliveries(sessions)} == {"delivered"}
    assert {each.headers["webhook-id"] for each in receiver.requests} == ids


def test_it_serves_its_probes_and_metrics(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"DATABASE_URL": database_url, "NOTIFIER_METRICS_PORT": str(port)}
    with subprocess.Popen([sys.executable, "-m", "notifier"], env=environment) as notifier:
        try:
            _eventually(lambda: _status(f"http://127.0.0.1:{port}/readyz") == 200)
            metrics = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        finally:
            notifier.terminate()

    assert re.search(r"^productator_notifier_outbox_age_seconds 0\.0$", metrics, re.MULTILINE)
    assert re.search(r"^productator_notifier_channels_disabled 0\.0$", metrics, re.MULTILINE)


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=10).status_code
    except requests.ConnectionError:
        return 0
