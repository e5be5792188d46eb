"""Collecting results into batches, and keeping a batch while the database is away."""

import time
from typing import Any

import pytest
from pymysql.err import OperationalError as DriverError
from sqlalchemy.exc import OperationalError

from refresher.fetching.journey import FetchResult
from refresher.metrics import StoreResult
from refresher.storing.writer import BatchWriter
from tests.refresher.builders import PERIOD, claim, offer, result

PATIENCE_S = 20
AWAY, REFUSED = 2003, 1142


class FailingSessions:
    """A database that answers every transaction with this error."""

    def __init__(self, code: int) -> None:
        self._code = code

    def begin(self) -> Any:
        raise OperationalError("SELECT 1", {}, DriverError(self._code, "no"))


class BrokenSessions:
    """Each transaction meets an error that is none of the database."""

    tried = 0

    def begin(self) -> Any:
        self.tried += 1
        raise RuntimeError("a bug")


def writer_on(code: int) -> BatchWriter:
    sessions: Any = FailingSessions(code)
    return BatchWriter(sessions, period=PERIOD, wake=lambda: None)


@pytest.fixture
def writer() -> BatchWriter:
    return writer_on(AWAY)


def finish(writer: BatchWriter) -> StoreResult:
    return writer.finish(until=time.monotonic() + PATIENCE_S, service_failing=False)


def test_without_results_there_is_no_batch(writer: BatchWriter) -> None:
    assert not writer.has_batch(is_complete=True)
    assert writer.next_batch_in_s is None


def test_a_few_results_wait_for_more(writer: BatchWriter) -> None:
    writer.add([result(claim(1))])

    assert not writer.has_batch(is_complete=False)
    assert writer.next_batch_in_s is not None
    assert 0 < writer.next_batch_in_s <= 0.2


def test_a_few_results_are_a_batch_if_no_more_come(writer: BatchWriter) -> None:
    writer.add([result(claim(1))])

    assert writer.has_batch(is_complete=True)


def test_a_few_results_are_a_batch_after_a_fifth_of_a_second(writer: BatchWriter) -> None:
    writer.add([result(claim(1))])
    time.sleep(writer.next_batch_in_s or 0)

    assert writer.has_batch(is_complete=False)


def test_many_results_are_a_batch_at_once(writer: BatchWriter) -> None:
    writer.add([result(claim(number)) for number in range(500)])

    assert writer.has_batch(is_complete=False)


def test_the_next_batch_waits_for_the_one_that_is_being_stored(writer: BatchWriter) -> None:
    writer.add([result(claim(1))])
    writer.start(service_failing=False)
    writer.add([result(claim(2))])

    assert not writer.has_batch(is_complete=True)
    assert writer.unstored == 2


def test_a_batch_that_the_database_refuses_has_failed() -> None:
    writer = writer_on(REFUSED)
    writer.add([result(claim(1)), result(claim(2))])
    stored = finish(writer)

    assert (stored.failed, [product_id for product_id, _ in stored.errors]) == (2, [1, 2])
    assert writer.unstored == 0


def test_after_an_error_that_nobody_foresaw_a_batch_is_not_tried_again_at_once() -> None:
    sessions: Any = BrokenSessions()
    writer = BatchWriter(sessions, period=PERIOD, wake=lambda: None)
    writer.add([result(claim(1))])
    writer.start(service_failing=False)
    with pytest.raises(RuntimeError):
        writer.take(wait_s=PATIENCE_S)
    tried = sessions.tried
    writer.take(wait_s=PATIENCE_S)

    assert (sessions.tried, writer.unstored) == (tried, 1)


def test_a_batch_is_lost_when_its_claims_lapse_while_the_database_is_away(writer: BatchWriter) -> None:
    writer.add([result(claim(1, lapses_at=time.monotonic()))])

    assert finish(writer) == StoreResult(lost=1)


def test_a_batch_that_the_database_is_away_for_can_be_given_up(writer: BatchWriter) -> None:
    writer.add([result(claim(1))])
    writer.start(service_failing=False)
    writer.add([result(claim(2))])
    deadline = time.monotonic() + PATIENCE_S
    dropped: list[int] = []
    while writer.unstored:
        assert time.monotonic() < deadline
        writer.take()
        dropped += [each.product_id for each in writer.drop()]
        time.sleep(0.01)

    assert dropped == [2, 1]


# --- memory and length of a batch


def large(product_id: int, offers: int) -> FetchResult:
    found = result(claim(product_id), *[offer(str(number)) for number in range(offers)])
    found.answer_bytes = 10 * offers
    return found


def test_a_batch_ends_before_it_has_more_than_5000_offers() -> None:
    writer = writer_on(REFUSED)
    writer.add([large(1, 3_000), large(2, 2_000), large(3, 1), large(4, 9_000)])
    batches = []
    while writer.unstored:
        writer.start(service_failing=False)
        batches.append([product_id for product_id, _ in writer.take(wait_s=PATIENCE_S).errors])

    assert batches == [[1, 2], [3], [4]]


def test_bytes_of_answers_count_until_their_offers_are_stored_or_given_up(writer: BatchWriter) -> None:
    writer.add([large(1, 100), large(2, 100)])
    collected = writer.unstored_bytes
    writer.start(service_failing=False)
    being_stored = writer.unstored_bytes
    writer.take(wait_s=PATIENCE_S)
    writer.drop()

    assert (collected, being_stored, writer.unstored_bytes) == (2_000, 2_000, 0)
