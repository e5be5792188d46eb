"""The loop: starts to fetch what was claimed, claims more, takes results, stores a batch.

Each turn moves every step on and waits for none of them: claims and batches have a thread each, calls have
libcurl. The turn ends when something has arrived, or after a fraction of a second.

`fetching/journey.py` has the calls of one product, registration included. `storing/due_policy.py` counts its
failures and decides when it is due next; `storing/batch.py` writes both and ends the claim.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from productator.domain import utc_now
from productator.errors import OffersUnavailable, TokenRejected
from productator.workers.stopping import StopFlag
from refresher.fetching.circuit_breaker import CircuitBreaker, Outcome
from refresher.fetching.fetcher import Fetcher
from refresher.fetching.journey import FetchResult
from refresher.leases.leases import Leases
from refresher.metrics import Metrics, StoreResult
from refresher.storing.writer import BatchWriter

log = logging.getLogger(__name__)

# How soon a product that has become due is noticed.
_IDLE_S = 0.4
_MOST_CLAIMS = 500
# After an error that nobody foresaw.
_PAUSE_S = 1.0
# With `--once`, so many failures of the database in a row are the end.
_MOST_DATABASE_FAILURES = 3
# Of a stop, after the calls: to store results, and to give back the other claims, twice if rows are locked.
_STORING_S, _GIVING_BACK_S = 2.0, 2.6
# For calls under way. The three together are less than the ten seconds that a stop may take.
_GRACE_S = 5.0


@dataclass
class OnceReport:
    """What `run_once` did."""

    stored: StoreResult = field(default_factory=StoreResult)
    # Why products that were due may not have been tried; None: all were.
    ended_early: str | None = None

    @property
    def is_success(self) -> bool:
        return not (self.stored.failed or self.ended_early)


class Worker:
    def __init__(
        self,
        leases: Leases,
        fetcher: Fetcher,
        writer: BatchWriter,
        breaker: CircuitBreaker,
        metrics: Metrics,
        *,
        idle_s: float = _IDLE_S,
    ) -> None:
        self._leases = leases
        self._fetcher = fetcher
        self._writer = writer
        self._breaker = breaker
        self._metrics = metrics
        self._idle_s = idle_s
        # When to look for due products again, by the monotonic clock, and whether the last claim left none.
        self._claim_at = 0.0
        self._has_claimed_all = False

    @property
    def waits_for_database_s(self) -> float:
        """For how long the database has kept one of the threads waiting."""
        return max(self._leases.busy_s, self._writer.busy_s)

    @property
    def has_database(self) -> bool:
        return self._leases.has_database

    def run(self, stop: StopFlag, *, on_turn: Callable[[], None]) -> None:
        """Refreshes what is due until asked to stop."""
        while not stop.requested:
            try:
                self._metrics.count_stored(self.turn(due_by=None), idle=self._is_idle)
                on_turn()
            except Exception:
                log.exception("a turn of the loop failed")
                time.sleep(_PAUSE_S)

    def run_once(self, stop: StopFlag, *, on_progress: Callable[[int], None]) -> OnceReport:
        """Refreshes everything that is due now, once."""
        due_by, report = utc_now(), OnceReport()
        self._claim_at, self._has_claimed_all = 0.0, False
        while not (stop.requested or self._is_hopeless or (self._has_claimed_all and self._is_idle)):
            stored = self.turn(due_by=due_by)
            report.stored.add(stored)
            # Never idle: a line of the log would tear the progress bar.
            self._metrics.count_stored(stored, idle=False)
            on_progress(stored.refreshed + stored.failed)
        report.ended_early = self._reason_to_end(stop)
        return report

    def turn(self, *, due_by: datetime | None) -> StoreResult:
        """One turn: claims products due by then (None: now), moves the others on; returns what was stored."""
        self._start_claimed()
        self._claim(due_by)
        self._fetch()
        return self._store()

    def finish(self, *, grace_s: float = _GRACE_S) -> StoreResult:
        """Stores what arrives within `grace_s`, and gives the other claims back; returns what was stored."""
        deadline = time.monotonic() + grace_s
        self._leases.give_back(self._fetcher.drop_waiting())
        stored = StoreResult()
        while (left_s := deadline - time.monotonic()) > 0 and self._fetcher.is_busy:
            fetched = self._fetcher.fetch(min(left_s, self._idle_s))
            self._writer.add(fetched.results)
            self._leases.give_back(fetched.unsent)
            stored.add(self._store())
        self._leases.give_back(self._fetcher.drop_all())
        until = time.monotonic() + _STORING_S
        stored.add(self._writer.finish(until=until, service_failing=self._breaker.is_failing))
        self._metrics.count_stored(stored, idle=True)
        self._leases.give_back(self._writer.drop())
        self._leases.finish(until=time.monotonic() + _GIVING_BACK_S)
        return stored

    @property
    def _is_idle(self) -> bool:
        return not (self._fetcher.unfinished or self._writer.unstored or self._leases.is_busy)

    @property
    def _is_hopeless(self) -> bool:
        return self._breaker.is_open or self._leases.failures >= _MOST_DATABASE_FAILURES

    def _reason_to_end(self, stop: StopFlag) -> str | None:
        if stop.requested:
            return "the refresher was stopped"
        if self._breaker.is_open:
            return "the Offers service is down"
        if self._leases.failures >= _MOST_DATABASE_FAILURES:
            return "the database is not available"
        return "somebody keeps their rows locked" if self._leases.avoided else None

    def _start_claimed(self) -> None:
        claimed = self._leases.take()
        if claimed is None:
            return
        now = time.monotonic()
        self._has_claimed_all = claimed.is_all
        if claimed.is_all:
            self._claim_at = now + self._idle_s
        if self._breaker.is_open and not claimed.is_probe:
            # The circuit has opened since these claims were asked for.
            self._leases.give_back(claimed.claims)
            return
        if self._breaker.is_open and not claimed.claims:
            self._breaker.return_probe(now=now)
        self._fetcher.start(claimed.claims)

    def _claim(self, due_by: datetime | None) -> None:
        if not self._leases.is_ready:
            return
        capacity = self._fetcher.capacity
        room = capacity - self._fetcher.unfinished
        limit, now = 0, time.monotonic()
        # Few claims of many products cost less than many claims of few.
        may_claim = now >= self._claim_at and room >= max(1, capacity // 4)
        # Behind a slow database, results would only become old.
        if may_claim and not self._writer.is_behind:
            limit = self._breaker.allow(min(room, _MOST_CLAIMS), now=now)
        self._leases.start(limit, due_by=due_by, is_probe=self._breaker.is_open)

    def _fetch(self) -> None:
        next_batch_in_s = self._writer.next_batch_in_s
        fetched = self._fetcher.fetch(
            self._idle_s if next_batch_in_s is None else next_batch_in_s,
            unstored_bytes=self._writer.unstored_bytes,
        )
        self._writer.add(fetched.results)
        for result in fetched.results:
            self._judge_service(result)
        self._leases.give_back(fetched.unsent)
        self._metrics.count_calls(fetched.calls)
        self._metrics.set_breaker(is_open=self._breaker.is_open)

    def _store(self) -> StoreResult:
        stored = self._writer.take()
        if self._writer.has_batch(is_complete=not self._fetcher.unfinished):
            self._writer.start(service_failing=self._breaker.is_failing)
        return stored

    def _judge_service(self, result: FetchResult) -> None:
        """Opens or closes the circuit by a result, and acts when it turns."""
        now, error = time.monotonic(), result.error
        was_open, was_down = self._breaker.is_open, self._breaker.awaits_recovery
        recovered = self._breaker.record(
            result.claim.product_id, _outcome(result), sent_at=result.sent_at, now=now
        )
        if isinstance(error, OffersUnavailable) and error.retry_after_s is not None:
            self._breaker.pause(error.retry_after_s, now=now)
        if self._breaker.is_open and not was_open:
            log.warning("the Offers service is down; probing it once a period", extra={"error": str(error)})
            self._leases.give_back(self._fetcher.stand_back())
        if recovered:
            # The first refresh after a start is a recovery, too, but of nothing that the log has reported.
            if was_down:
                log.info("the Offers service is up again")
            self._leases.make_delayed_products_due()
            self._claim_at = 0.0


def _outcome(result: FetchResult) -> Outcome:
    if result.error is None:
        return Outcome.REFRESHED
    if result.is_product_unknown:
        return Outcome.UNKNOWN_PRODUCT
    # A service that rejects the token answers nothing else either.
    is_unanswered = isinstance(result.error, OffersUnavailable | TokenRejected)
    return Outcome.UNANSWERED if is_unanswered else Outcome.REFUSED
