"""The loop: claim, hand over, wait, store."""

import logging
import random
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.engine import is_transient, run_transaction
from productator.errors import OffersUnavailable, TokenRejected
from refresher import claims, store
from refresher.fetch import Fetcher
from refresher.health import ServiceHealth
from refresher.owed import Owed
from refresher.pipeline import Outcome
from refresher.report import Report
from refresher.store import Stored
from refresher.storing import Storer, backoff

log = logging.getLogger(__name__)

_BATCH = 500
_LONGEST_BUFFERED_S = 0.2
# How often the worker looks whether a batch is stored while it has the next one.
_STORING_POLL_S = 0.02


@dataclass
class StopFlag:
    """A plain flag: setting a threading.Event in a signal handler can deadlock."""

    requested: bool = False


@dataclass(frozen=True)
class Rhythm:
    period: timedelta
    # How long a claim lasts: longer than the slowest batch.
    lease: timedelta
    # How many products may be held at once.
    most_held: int
    # How soon a product that has become due is noticed.
    idle_s: float = 0.4


class Worker:
    """Single-threaded; whatever fails, the loop goes on."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        fetcher: Fetcher,
        health: ServiceHealth,
        report: Report,
        *,
        rhythm: Rhythm,
    ) -> None:
        self._sessions = sessions
        self._fetcher = fetcher
        self._health = health
        self._report = report
        self._rhythm = rhythm
        self._storer = Storer(sessions, patience_s=rhythm.lease.total_seconds())
        self._outcomes: list[Outcome] = []
        self._buffered_since = 0.0
        self._claim_at = 0.0
        self._all_claimed = False
        self._owed = Owed(sessions, period=rhythm.period)
        self._database_failures = 0
        self._database_at = 0.0
        # Whether the last claim succeeded.
        self.has_database = False

    def run(self, stop: StopFlag, *, on_turn: Callable[[], None]) -> None:
        """Refreshes what is due until asked to stop."""
        while not stop.requested:
            self._report.add(self.turn(due_by=None), idle=self._is_idle)
            calls, self._fetcher.calls = self._fetcher.calls, Tally()
            self._report.service(calls=calls, is_down=self._health.is_down)
            on_turn()

    def run_once(self, stop: StopFlag, *, on_progress: Callable[[int], None]) -> bool:
        """Refreshes everything that is due now, once; returns whether all of it succeeded."""
        due_by = utc_now()
        self._claim_at, self._all_claimed = 0.0, False
        while not (stop.requested or self._health.is_down or (self._all_claimed and self._is_idle)):
            stored = self.turn(due_by=due_by)
            # Said once, at the end: lines in between would tear a progress bar.
            self._report.add(stored, idle=False)
            on_progress(stored.refreshed + stored.failed)
        return not (stop.requested or self._health.is_down or self._report.failed)

    def turn(self, *, due_by: datetime | None) -> Stored:
        """One turn: claims products due by then (None: by now), takes answers; returns what it stored."""
        try:
            if time.monotonic() >= self._database_at:
                self._owed.settle(now=utc_now(), now_s=time.monotonic())
                self._claim(due_by)
            self._collect()
            return self._store_when_worthwhile()
        except DBAPIError as error:
            self._put_up_with(error)
            return Stored()

    def finish(self, *, grace_s: float) -> None:
        """Stores what is under way, as far as it arrives in time, and gives back the other claims."""
        deadline = time.monotonic() + grace_s
        try:
            self._owed.give_back(self._fetcher.drop_waiting())
            self._owed.settle(now=utc_now(), now_s=time.monotonic())
            while (left_s := deadline - time.monotonic()) > 0 and self._is_busy:
                self._outcomes += self._fetcher.finished(min(left_s, self._rhythm.idle_s))
            self._report.add(self._storer.taken(wait_s=max(1.0, deadline - time.monotonic())), idle=False)
            if not self._storer.held:
                self._store()
            self._report.add(self._storer.taken(wait_s=max(1.0, deadline - time.monotonic())), idle=True)
            self._owed.give_back(self._fetcher.drop_all())
            self._owed.settle(now=utc_now(), now_s=time.monotonic())
        except DBAPIError as error:
            log.warning("claims are left to lapse", extra={"error": str(error.orig)})

    @property
    def _is_busy(self) -> bool:
        return self._fetcher.held > 0 or self._fetcher.is_renewing

    @property
    def _is_idle(self) -> bool:
        return not self._fetcher.held and not self._outcomes and not self._storer.held

    def _claim(self, due_by: datetime | None) -> None:
        now_s = time.monotonic()
        room = self._rhythm.most_held - self._fetcher.held - len(self._outcomes) - self._storer.held
        # Few claims of many products cost less than many of few.
        if now_s < self._claim_at or room < self._rhythm.most_held // 4:
            return
        allowed = self._health.allowed(min(room, _BATCH), now=now_s)
        if not allowed:
            return
        now = utc_now()
        claim = partial(
            claims.claim_due, limit=allowed, due_by=due_by or now, now=now, lease=self._rhythm.lease
        )
        found = run_transaction(self._sessions, claim)
        self._database_failures, self.has_database = 0, True
        self._all_claimed = len(found) < allowed
        if self._all_claimed:
            self._claim_at = now_s + self._rhythm.idle_s
        if self._health.is_down and not found:
            self._health.probe_unspent(now=now_s)
        self._fetcher.start(found)

    def _collect(self) -> None:
        wait_s = self._rhythm.idle_s
        if self._outcomes:
            least_s = _STORING_POLL_S if self._storer.held else 0.0
            wait_s = max(least_s, self._buffered_since + _LONGEST_BUFFERED_S - time.monotonic())
        outcomes = self._fetcher.finished(wait_s)
        if outcomes and not self._outcomes:
            self._buffered_since = time.monotonic()
        self._outcomes += outcomes
        for outcome in outcomes:
            self._judge(outcome)

    def _judge(self, outcome: Outcome) -> None:
        """Lets the service's health follow from an outcome, and acts when it turns."""
        now_s = time.monotonic()
        was_down = self._health.is_down
        recovered = self._health.record(
            outcome.claim.product_id,
            succeeded=outcome.error is None or outcome.is_unknown,
            # Without a token there is nothing that the service would answer.
            answered=not isinstance(outcome.error, OffersUnavailable | TokenRejected),
            now=now_s,
        )
        if isinstance(outcome.error, OffersUnavailable) and outcome.error.retry_after_s is not None:
            self._health.pause(outcome.error.retry_after_s, now=now_s)
        if self._health.is_down and not was_down:
            log.warning(
                "the Offers service is down, probing it once a period", extra={"error": str(outcome.error)}
            )
            self._owed.give_back(self._fetcher.stand_back())
        if recovered:
            log.info("the Offers service is well")
            self._owed.forgive()
            self._claim_at = 0.0

    def _store_when_worthwhile(self) -> Stored:
        stored = self._storer.taken(wait_s=0)
        is_old = time.monotonic() - self._buffered_since >= _LONGEST_BUFFERED_S
        is_worthwhile = is_old or len(self._outcomes) >= _BATCH or not self._fetcher.held
        if self._outcomes and is_worthwhile and not self._storer.held:
            self._store()
        if not self._fetcher.held:
            # Nothing else is to be done meanwhile.
            stored.add(self._storer.taken(wait_s=self._rhythm.idle_s))
        return stored

    def _store(self) -> None:
        if self._outcomes:
            plan = store.Schedule(
                self._rhythm.period, random.uniform, service_failing=self._health.is_failing
            )
            self._storer.start(self._outcomes, plan)
            self._outcomes = []

    def _put_up_with(self, error: DBAPIError) -> None:
        """Leaves the database alone for a while; the calls to the service go on."""
        if is_transient(error):
            log.warning("the database is not available", extra={"error": str(error.orig)})
        else:
            log.error("the database refuses a statement", exc_info=error)
            self._owed.let_go()
        self._database_at = time.monotonic() + backoff(self._database_failures)
        self._database_failures += 1
        self.has_database = False
