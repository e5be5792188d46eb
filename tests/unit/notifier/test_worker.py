"""What the notifier's loop does when something goes wrong that nobody foresaw."""

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import pymysql
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError, ProgrammingError

from notifier import worker as loop
from notifier.metrics import NotifierMetrics
from notifier.queue.claims import DeliveryClaim, Target
from notifier.queue.results import DeliveryOutcome
from notifier.queue.store import Run, Store
from notifier.sending.http import HttpSender
from notifier.sending.mail import MailSender
from notifier.worker import DeliveryWorker
from productator.alerts.sealing import Seal
from tests.notifier.rows import DATA

TURNS = 40
REFUSED = ProgrammingError("SELECT 1", {}, Exception("it refuses"))


class FakeStore:
    """Gives the claims once, and fails as the test wants."""

    def __init__(self, *claims: DeliveryClaim) -> None:
        self.claims: Sequence[DeliveryClaim] = claims
        self.errors: list[Exception] = []
        self.runs: list[list[DeliveryOutcome]] = []

    def run(self, outcomes: Sequence[DeliveryOutcome], in_hand: Mapping[int, int], *, most: int) -> Run:
        self.runs.append(list(outcomes))
        if self.errors:
            raise self.errors.pop(0)
        claimed, self.claims = self.claims, ()
        return Run(claimed)

    def save(self, outcomes: Sequence[DeliveryOutcome]) -> Mapping[str, int]:
        self.runs.append(list(outcomes))
        return {}

    def give_back(self, unsent: Sequence[DeliveryClaim]) -> None:
        assert not unsent


class NoRules:
    def run_once(self, now: datetime) -> tuple[int, int]:
        del now
        return 0, 0

    def stop(self) -> None: ...
    def give_back(self) -> None: ...


def claim(delivery_id: int, *, kind: str = "webhook", begin_until: float = math.inf) -> DeliveryClaim:
    return DeliveryClaim(
        delivery_id=delivery_id,
        token="t",
        message_id=f"msg_{delivery_id}",
        attempts=0,
        event_type="price.threshold",
        data=DATA,
        occurred_at=datetime(2026, 11, 26, tzinfo=UTC),
        rule_id=None,
        channel=Target(delivery_id, kind, "Ops", "http://127.0.0.1:9/hook"),
        begin_until=begin_until,
    )


@pytest.fixture
def http() -> Iterator[HttpSender]:
    sender = HttpSender((), concurrency=5)
    yield sender
    sender.close()


def worker_with(store: FakeStore, http: HttpSender) -> DeliveryWorker:
    return DeliveryWorker(
        evaluator=NoRules(),
        store=cast("Store", store),
        http=http,
        mail=MailSender(None, mute_link=lambda _: None, wake=http.wake),
        seal=Seal(None),
        metrics=NotifierMetrics(CollectorRegistry()),
    )


def test_a_message_that_cannot_be_made_fails_alone(http: HttpSender) -> None:
    store = FakeStore(claim(1, kind="pigeon"), claim(2))
    worker = worker_with(store, http)
    for _ in range(TURNS):
        worker.turn()

    ended = {each.claim.delivery_id: each.error for run in store.runs for each in run}
    assert ended[1] == "making the message failed: ValueError"
    assert "127.0.0.1 is not a public address" in (ended[2] or "")


@pytest.mark.parametrize("error", [REFUSED, ValueError("nobody foresaw it")])
def test_outcomes_that_could_not_be_stored_are_stored_by_the_next_run(
    http: HttpSender, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(loop, "_PAUSE_S", 0.0)
    store = FakeStore(claim(1))
    worker = worker_with(store, http)
    while not any(store.runs):
        worker.turn()
        # From the second run on, which has the outcome.
        store.errors = [error] if store.runs and not store.claims else []
    store.errors = []
    for _ in range(TURNS):
        try:
            worker.turn()
        except ValueError as raised:
            assert raised is error  # noqa: PT017 - the loop logs it and goes on

    stored = [run for run in store.runs if run]
    assert [each.claim.delivery_id for each in stored[-1]] == [1]
    assert len(stored) == 2


def test_a_database_that_refuses_every_run_is_asked_now_and_then(
    http: HttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSE_S", 3_600.0)
    store = FakeStore(claim(1))
    worker = worker_with(store, http)
    while store.claims or not store.runs:
        worker.turn()
    store.errors = [REFUSED] * TURNS
    for _ in range(TURNS):
        worker.turn()
        time.sleep(0.01)  # for the thread that stores

    assert len([run for run in store.runs if run]) == 1


def test_a_claim_that_lapsed_while_it_waited_is_neither_sent_nor_stored(http: HttpSender) -> None:
    store = FakeStore(claim(1, begin_until=0.0), claim(2))
    worker = worker_with(store, http)
    for _ in range(TURNS):
        worker.turn()

    assert [each.claim.delivery_id for run in store.runs for each in run] == [2]
    assert worker.is_idle


def test_a_mail_whose_claim_lapsed_while_it_waited_for_a_thread_is_not_sent() -> None:
    mail = MailSender(None, mute_link=lambda _: None, wake=lambda: None)
    mail.send(claim(1, kind="email", begin_until=0.0))

    (outcome,) = mail.receive()

    assert outcome.is_lapsed
    assert mail.under_way == 0


def test_a_stop_while_the_database_hangs_says_what_follows(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_STORING_S", 0.1)
    answers = threading.Event()

    class Hanging(FakeStore):
        def save(self, outcomes: Sequence[DeliveryOutcome]) -> Mapping[str, int]:
            answers.wait()
            return super().save(outcomes)

    worker = worker_with(Hanging(), HttpSender((), concurrency=5))
    with caplog.at_level(logging.WARNING):
        worker.finish()
    answers.set()

    assert "what was sent is sent again when its lease ends" in caplog.text


def test_the_log_says_when_the_database_goes_and_comes_back(
    http: HttpSender, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_PAUSE_S", 0.0)
    store = FakeStore()
    store.errors = [OperationalError("SELECT 1", {}, pymysql.OperationalError(2013, "lost"))]
    worker = worker_with(store, http)
    with caplog.at_level(logging.INFO):
        for _ in range(TURNS):
            worker.turn()

    told = [each.message for each in caplog.records]
    assert told == ["the database is not available", "the database is available again"]
