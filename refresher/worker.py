"""The loop: claim, hand over, wait, store."""

import logging
import random
import time
from collections.abc import Callable, Sequence
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
from refresher.pipeline import Outcome
from refresher.report import Report
from refresher.store import Stored
from refresher.storing import Storer

log = logging.getLogger(__name__)

_BATCH = 500
_LONGEST_BUFFERED_S = 0.2
_DATABASE_PAUSE_S = 1.0


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
        self._storer = Storer(sessions)
        self._outcomes: list[Outcome] = []
        self._buffered_since = 0.0
        self._claim_at = 0.0
        self._all_claimed = False

    def run(self, stop: StopFlag, *, on_turn: Callable[[], None]) -> None:
        """Refreshes what is due until asked to stop."""
        while not stop.requested:
            self._report.add(self.turn(due_by=None), idle=self._is_idle)
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
            self._give_back(self._fetcher.drop_waiting())
            while self._fetcher.held or self._fetcher.is_renewing:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    break
                self._outcomes += self._fetcher.finished(min(left_s, self._rhythm.idle_s))
            self._report.add(self._storer.taken(wait_s=None), idle=False)
            self._store()
            self._report.add(self._storer.taken(wait_s=None), idle=True)
            self._give_back(self._fetcher.drop_all())
        except DBAPIError as error:
            log.warning("claims are left to lapse", extra={"error": str(error.orig)})

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
        self._all_claimed = len(found) < allowed
        if self._all_claimed:
            self._claim_at = now_s + self._rhythm.idle_s
        if self._health.is_down and not found:
            self._health.probe_unspent(now=now_s)
        self._fetcher.start(found)

    def _collect(self) -> None:
        wait_s = self._rhythm.idle_s
        if self._outcomes:
            wait_s = max(0.0, self._buffered_since + _LONGEST_BUFFERED_S - time.monotonic())
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
            self._give_back(self._fetcher.drop_waiting())
        if recovered:
            log.info("the Offers service is well again")
            run_transaction(self._sessions, partial(store.forgive, now=utc_now()))
            self._claim_at = 0.0

    def _store_when_worthwhile(self) -> Stored:
        stored = self._storer.taken(wait_s=0)
        is_old = time.monotonic() - self._buffered_since >= _LONGEST_BUFFERED_S
        is_worthwhile = is_old or len(self._outcomes) >= _BATCH or not self._fetcher.held
        if self._outcomes and is_worthwhile and not self._storer.held:
            self._store()
        if not self._fetcher.held:
            # Nothing else is to be done meanwhile.
            stored.add(self._storer.taken(wait_s=None))
        return stored

    def _store(self) -> None:
        if self._outcomes:
            plan = store.Schedule(
                self._rhythm.period, random.uniform, service_failing=self._health.is_failing
            )
            self._storer.start(self._outcomes, plan)
            self._outcomes = []

    def _give_back(self, unserved: Sequence[claims.Claim]) -> None:
        if unserved:
            run_transaction(self._sessions, partial(claims.give_back, claims=unserved))

    def _put_up_with(self, error: DBAPIError) -> None:
        """Lets go of what could not be stored: its claims lapse, and it is fetched again."""
        if not is_transient(error):
            log.error("the database refuses a statement", exc_info=error)
        else:
            log.warning("the database is not available", extra={"error": str(error.orig)})
        self._outcomes = []
        time.sleep(_DATABASE_PAUSE_S)
