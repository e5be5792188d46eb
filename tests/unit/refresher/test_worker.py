"""What the worker does while the Offers service is down, and what it logs at its return."""

import logging
import time
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from refresher.fetching.circuit_breaker import CircuitBreaker, Outcome
from refresher.fetching.fetcher import Fetched
from refresher.fetching.journey import FetchResult
from refresher.leases.claims import Claim
from refresher.leases.leases import Claimed
from refresher.metrics import Metrics
from refresher.storing.writer import BatchWriter
from refresher.worker import Worker
from tests.refresher.builders import PERIOD, claim


class FakeLeases:
    """Its claim transaction has just ended."""

    is_ready = False
    is_busy = False
    failures = 0

    def __init__(self, claimed: Claimed) -> None:
        self._claimed: Claimed | None = claimed
        self.returned: list[Claim] = []

    def make_delayed_products_due(self) -> None:
        pass

    def take(self) -> Claimed | None:
        claimed, self._claimed = self._claimed, None
        return claimed

    def give_back(self, unserved: Iterable[Claim]) -> None:
        self.returned += unserved


class FakeFetcher:
    """Fetches nothing but the results that it is given."""

    unfinished = 0

    def __init__(self, results: Iterable[FetchResult]) -> None:
        self.started: list[Claim] = []
        self._results = list(results)

    def start(self, claims: Iterable[Claim]) -> None:
        self.started += claims

    def fetch(self, _wait_s: float, *, unstored_bytes: int) -> Fetched:
        assert unstored_bytes == 0
        return Fetched(self._results)


@pytest.fixture
def breaker() -> CircuitBreaker:
    """Open: the fifth product in a row has just failed."""
    found, now = CircuitBreaker(probe_every_s=3_600), time.monotonic()
    for product_id in range(5):
        found.record(product_id, Outcome.UNANSWERED, sent_at=now, now=now)
    return found


def turn(
    breaker: CircuitBreaker, claimed: Claimed, results: Iterable[FetchResult] = ()
) -> tuple[list[Claim], list[Claim]]:
    """One turn of a worker; returns the claims that it started to fetch, and those that it gave back."""
    sessions: Any = None
    leases: Any = FakeLeases(claimed)
    fetcher: Any = FakeFetcher(results)
    writer = BatchWriter(sessions, period=PERIOD, wake=lambda: None)
    worker = Worker(leases, fetcher, writer, breaker, Metrics(CollectorRegistry()), idle_s=0)
    worker.turn(due_by=None)
    return fetcher.started, leases.returned


def test_claims_that_come_after_the_circuit_has_opened_are_given_back(breaker: CircuitBreaker) -> None:
    late = Claimed([claim(1), claim(2)], is_all=False, is_probe=False)

    assert turn(breaker, late) == ([], [claim(1), claim(2)])


def test_the_claim_of_a_probe_is_fetched(breaker: CircuitBreaker) -> None:
    probe = Claimed([claim(1)], is_all=False, is_probe=True)

    assert turn(breaker, probe) == ([claim(1)], [])


@pytest.mark.parametrize(("is_probe", "probes_again"), [(True, 1), (False, 0)])
def test_only_a_probe_that_found_no_product_may_be_repeated_at_once(
    breaker: CircuitBreaker, is_probe: bool, probes_again: int
) -> None:
    turn(breaker, Claimed([], is_all=True, is_probe=is_probe))

    assert breaker.allow(1, now=time.monotonic()) == probes_again


NOTHING = Claimed([], is_all=True, is_probe=False)
UP_AGAIN = "the Offers service is up again"


def test_the_log_tells_that_a_service_that_was_down_is_up_again(
    breaker: CircuitBreaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    turn(breaker, NOTHING, [FetchResult(claim(1), [])])

    assert UP_AGAIN in caplog.messages


def test_the_first_refresh_after_a_start_tells_of_no_return(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    turn(CircuitBreaker(probe_every_s=3_600), NOTHING, [FetchResult(claim(1), [])])

    assert UP_AGAIN not in caplog.messages
