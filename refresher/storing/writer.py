"""Collects results into batches, and stores one batch at a time in a thread while fetching goes on."""

import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient, reason
from productator.workers.background import Background
from refresher.backoff import Backoff
from refresher.fetching.journey import FetchResult
from refresher.leases.claims import Claim
from refresher.metrics import StoreResult
from refresher.storing.due_policy import DuePolicy
from refresher.storing.fallback import store_batch

log = logging.getLogger(__name__)

# A batch is stored when it has so many results, or its first one has waited for so long.
_BATCH = 500
# It takes results until it has so many offers: on SQLite nobody else writes while they are stored.
_OFFERS_A_BATCH = 5_000
_LONGEST_COLLECTED_S = 0.2
_POLL_S = 0.05


class BatchWriter:
    """Keeps a batch while the database is away, until its claims have lapsed."""

    def __init__(
        self, sessions: sessionmaker[Session], *, period: timedelta, wake: Callable[[], None]
    ) -> None:
        """The thread calls `wake` when it has stored a batch."""
        self._sessions = sessions
        self._thread: Background[StoreResult] = Background("store", wake=wake)
        self._backoff = Backoff()
        self._collected: list[FetchResult] = []
        self._collected_since = 0.0
        self._unstored_bytes = 0
        # The batch that is being stored, or waits for the database, and how its products are rescheduled.
        self._batch: Sequence[FetchResult] = ()
        self._policy = DuePolicy(period, random.uniform)

    @property
    def unstored(self) -> int:
        """How many results are not stored yet."""
        return len(self._collected) + len(self._batch)

    @property
    def is_behind(self) -> bool:
        """Whether a whole batch waits until another one is stored."""
        if not self._batch:
            return False
        return len(self._collected) >= _BATCH or _offers_of(self._collected) >= _OFFERS_A_BATCH

    @property
    def unstored_bytes(self) -> int:
        """How long the answers were that the unstored offers come from."""
        return self._unstored_bytes

    @property
    def busy_s(self) -> float:
        """For how long the database has kept the thread waiting."""
        return self._thread.busy_s

    @property
    def next_batch_in_s(self) -> float | None:
        """When to store the collected results; None: there are none, or another batch is being stored."""
        if self._batch or not self._collected:
            return None
        return max(0.0, self._collected_since + _LONGEST_COLLECTED_S - time.monotonic())

    def add(self, results: Iterable[FetchResult]) -> None:
        if not self._collected:
            self._collected_since = time.monotonic()
        added = list(results)
        self._collected += added
        self._unstored_bytes += _bytes_of(added)

    def has_batch(self, *, is_complete: bool) -> bool:
        """Whether it is time to store what was collected; `is_complete`: no more results come for now."""
        if self._batch or not self._collected:
            return False
        return is_complete or len(self._collected) >= _BATCH or self.next_batch_in_s == 0.0

    def start(self, *, service_failing: bool) -> None:
        """Starts to store what was collected, or a part of it; only while no batch is being stored."""
        length = _batch_length(self._collected)
        self._batch, self._collected = self._collected[:length], self._collected[length:]
        self._policy = replace(self._policy, service_failing=service_failing)
        self._start_thread()

    def take(self, *, wait_s: float = 0.0) -> StoreResult:
        """What was stored since the last time. Tries a batch again that the database was away for."""
        if self._batch and not self._thread.is_busy and self._backoff.is_over:
            now = time.monotonic()
            if all(result.claim.lapses_at < now for result in self._batch):
                return self._end(StoreResult(lost=len(self._batch)))
            self._start_thread()
        try:
            stored = self._thread.take(wait_s=wait_s)
        except DBAPIError as error:
            return self._fail(error)
        except Exception:
            # Nobody foresaw it: the batch is tried again after a pause, until its claims have lapsed.
            self._backoff.failed()
            raise
        return StoreResult() if stored is None else self._end(stored)

    def finish(self, *, until: float, service_failing: bool) -> StoreResult:
        """Stores everything, as far as that is possible until then."""
        total = StoreResult()
        while self.unstored and (left_s := until - time.monotonic()) > 0:
            if not self._batch:
                self.start(service_failing=service_failing)
            total.add(self.take(wait_s=left_s))
            if self._batch and not self._thread.is_busy:
                # The database is away.
                time.sleep(min(_POLL_S, left_s))
        return total

    def drop(self) -> list[Claim]:
        """Gives up what is not being stored at this moment; returns its claims."""
        dropped = [*self._collected, *(() if self._thread.is_busy else self._batch)]
        self._collected = []
        if not self._thread.is_busy:
            self._batch = ()
        self._unstored_bytes = _bytes_of(self._batch)
        return [result.claim for result in dropped]

    def _start_thread(self) -> None:
        self._thread.start(partial(store_batch, self._sessions, self._batch, self._policy))

    def _end(self, stored: StoreResult) -> StoreResult:
        self._unstored_bytes -= _bytes_of(self._batch)
        self._batch = ()
        self._backoff.succeeded()
        return stored

    def _fail(self, error: DBAPIError) -> StoreResult:
        if is_transient(error):
            log.warning("the database is not available", extra={"error": reason(error)})
            self._backoff.failed()
            return StoreResult()
        # The claims lapse.
        log.error("the database refuses a batch", exc_info=error)
        errors = [(result.claim.product_id, "The database refuses the batch.") for result in self._batch]
        return self._end(StoreResult(failed=len(errors), errors=errors))


def _bytes_of(results: Iterable[FetchResult]) -> int:
    return sum(result.answer_bytes for result in results)


def _offers_of(results: Iterable[FetchResult]) -> int:
    return sum(len(result.offers or ()) for result in results)


def _batch_length(results: Sequence[FetchResult]) -> int:
    """How many of the results make a batch: at least one, however many offers it has."""
    offers = 0
    for length, result in enumerate(results):
        offers += len(result.offers or ())
        if length and offers > _OFFERS_A_BATCH:
            return length
    return len(results)
