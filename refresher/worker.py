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

from productator.database.failures import is_transient
from productator.domain import utc_now
from productator.errors import OffersUnavailable, TokenRejected
from refresher.background import Background
from refresher.fetching.circuit_breaker import ServiceHealth
from refresher.fetching.fetcher import Fetcher
from refresher.fetching.journey import Outcome
from refresher.leases.claims import Claim, Wanted
from refresher.leases.errands import Errands
from refresher.leases.owed import Debt, Owed
from refresher.metrics import Report
from refresher.storing import batch
from refresher.storing.batch import Stored
from refresher.storing.writer import Storer, backoff

log = logging.getLogger(__name__)

_BATCH = 500
_LONGEST_BUFFERED_S = 0.2
# After an error that nobody foresaw.
_PAUSE_S = 1.0
# With `--once`, so many failures of the database in a row are the end.
_PATIENCE = 3
# Of a stop, after the calls: to store what has arrived; to give back the rest, twice if somebody holds a row.
_STORING_S, _GIVING_BACK_S = 2.0, 2.6


@dataclass
class StopFlag:
    """A plain flag: setting a threading.Event in a signal handler can deadlock."""

    requested: bool = False


@dataclass(frozen=True)
class Rhythm:
    period: timedelta
    # How long a claim lasts: longer than the slowest batch.
    lease: timedelta
    # How soon a product that has become due is noticed.
    idle_s: float = 0.4


class Worker:
    """Drives the calls and decides; whatever waits for the database runs beside it. It goes on anyway."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        fetcher: Fetcher,
        health: ServiceHealth,
        report: Report,
        *,
        rhythm: Rhythm,
    ) -> None:
        self._fetcher = fetcher
        self._health = health
        self._report = report
        self._rhythm = rhythm
        self._errands = Errands(sessions, period=rhythm.period, lease=rhythm.lease)
        self._errand: Background[list[Claim]] = Background("errand", wake=fetcher.wake)
        self._debt = Debt()
        self._wanted = 0
        self._storer = Storer(sessions, wake=fetcher.wake)
        self._outcomes: list[Outcome] = []
        self._buffered_since = 0.0
        self._claim_at = 0.0
        self._all_claimed = False
        self._owed = Owed(period=rhythm.period)
        self._database_failures = 0
        self._database_at = 0.0
        # Whether the last claim succeeded.
        self.has_database = False

    @property
    def busy_s(self) -> float:
        """For how long the database has kept it waiting for one thing."""
        return max(self._errand.busy_s, self._storer.busy_s)

    def run(self, stop: StopFlag, *, on_turn: Callable[[], None]) -> None:
        """Refreshes what is due until asked to stop."""
        while not stop.requested:
            try:
                self._report.add(self.turn(due_by=None), idle=self._is_idle)
                calls, self._fetcher.calls = self._fetcher.calls, Tally()
                self._report.service(calls=calls, is_down=self._health.is_down)
                on_turn()
            except Exception:
                log.exception("a turn ended early")
                time.sleep(_PAUSE_S)

    def run_once(self, stop: StopFlag, *, on_progress: Callable[[int], None]) -> bool:
        """Refreshes everything that is due now, once; returns whether all of it succeeded."""
        due_by = utc_now()
        self._claim_at, self._all_claimed = 0.0, False
        while not (stop.requested or self._is_hopeless or (self._all_claimed and self._is_idle)):
            stored = self.turn(due_by=due_by)
            # Said once, at the end: lines in between would tear a progress bar.
            self._report.add(stored, idle=False)
            on_progress(stored.refreshed + stored.failed)
        left_out = stop.requested or self._is_hopeless or self._errands.avoided
        return not (left_out or self._report.failed)

    def turn(self, *, due_by: datetime | None) -> Stored:
        """One turn: claims products due by then (None: by now), takes answers; returns what it stored."""
        try:
            self._take_claims()
            self._run_errand(due_by)
            self._collect()
            return self._store_when_worthwhile()
        except DBAPIError as error:
            self._put_up_with(error)
            return Stored()

    def finish(self, *, grace_s: float) -> None:
        """Stores what is under way, as far as it arrives within `grace_s`; gives back the other claims."""
        deadline = time.monotonic() + grace_s
        self._owed.give_back(self._fetcher.drop_waiting())
        while (left_s := deadline - time.monotonic()) > 0 and self._is_busy:
            self._outcomes += self._fetcher.finished(min(left_s, self._rhythm.idle_s))
        self._owed.give_back(self._fetcher.drop_all())
        self._store_at_last(until=time.monotonic() + _STORING_S)
        self._give_back_at_last(until=time.monotonic() + _GIVING_BACK_S)

    @property
    def _is_busy(self) -> bool:
        return self._fetcher.held > 0 or self._fetcher.is_renewing

    @property
    def _is_idle(self) -> bool:
        return not (self._fetcher.held or self._outcomes or self._storer.held or self._errand.is_busy)

    @property
    def _is_hopeless(self) -> bool:
        return self._health.is_down or self._database_failures >= _PATIENCE

    def _run_errand(self, due_by: datetime | None) -> None:
        now_s, now = time.monotonic(), utc_now()
        if self._errand.is_busy or now_s < self._database_at:
            return
        self._owed.give_back(self._fetcher.late())
        debt, limit = self._owed.due(now_s), self._limit(now_s)
        if debt or limit:
            self._debt, self._wanted = debt, limit
            wanted = Wanted(limit, due_by or now, served_lately=self._health.is_down)
            self._errand.start(partial(self._errands.run, debt, wanted, now=now))

    def _limit(self, now_s: float) -> int:
        """How many products may be claimed now."""
        capacity = self._fetcher.capacity
        room = capacity - self._fetcher.held - len(self._outcomes) - self._storer.held
        # Few claims of many products cost less than many of few.
        if now_s < self._claim_at or room < capacity // 4:
            return 0
        return self._health.allowed(min(room, _BATCH), now=now_s)

    def _take_claims(self) -> None:
        claims = self._errand.taken()
        if claims is None:
            return
        now_s = time.monotonic()
        self._owed.settled(self._debt, now_s=now_s)
        self._database_failures, self.has_database = 0, True
        if self._wanted:
            self._all_claimed = len(claims) < self._wanted
            if self._all_claimed:
                self._claim_at = now_s + self._rhythm.idle_s
            if self._health.is_down and not claims:
                self._health.probe_unspent(now=now_s)
        self._fetcher.start(claims)

    def _collect(self) -> None:
        wait_s = self._rhythm.idle_s
        if self._outcomes and not self._storer.held:
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
            sent_at=outcome.sent_at,
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
        stored = self._storer.taken()
        is_old = time.monotonic() - self._buffered_since >= _LONGEST_BUFFERED_S
        is_worthwhile = is_old or len(self._outcomes) >= _BATCH or not self._fetcher.held
        if self._outcomes and is_worthwhile and not self._storer.held:
            self._store()
        return stored

    def _store(self) -> None:
        plan = batch.Schedule(self._rhythm.period, random.uniform, service_failing=self._health.is_failing)
        outcomes, self._outcomes = self._outcomes, []
        self._storer.start(outcomes, plan)

    def _put_up_with(self, error: DBAPIError) -> None:
        """Leaves the database alone for a while; the calls to the service go on."""
        if is_transient(error):
            log.warning("the database is not available", extra={"error": str(error.orig)})
        else:
            log.error("the database refuses a statement", exc_info=error)
            # Their claims lapse when their leases end.
            self._owed.settled(self._debt, now_s=time.monotonic())
        self._database_at = time.monotonic() + backoff(self._database_failures)
        self._database_failures += 1
        self.has_database = False

    def _store_at_last(self, *, until: float) -> None:
        try:
            while time.monotonic() < until and (self._outcomes or self._storer.held):
                if not self._storer.held:
                    self._store()
                self._fetcher.finished(min(_LONGEST_BUFFERED_S, until - time.monotonic()))
                self._report.add(self._storer.taken(), idle=True)
        except DBAPIError as error:
            log.warning("what was read last is not stored", extra={"error": str(error.orig)})
        self._owed.give_back([outcome.claim for outcome in self._outcomes] + self._storer.dropped())

    def _give_back_at_last(self, *, until: float) -> None:
        """Also what an errand that is still under way has claimed."""
        try:
            while time.monotonic() < until:
                claims = self._errand.taken(wait_s=until - time.monotonic())
                if claims is not None:
                    self._owed.settled(self._debt, now_s=time.monotonic())
                    self._owed.give_back(claims)
                self._debt = Debt(self._owed.due(time.monotonic()).unserved)
                if self._errand.is_busy or not self._debt:
                    return
                nothing = Wanted(0, utc_now())
                self._errand.start(partial(self._errands.run, self._debt, nothing, now=utc_now()))
        except DBAPIError as error:
            log.warning("claims are left to lapse", extra={"error": str(error.orig)})
