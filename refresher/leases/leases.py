"""Hands claims out and takes them back. Its SQL runs in a thread of its own, so that the loop can go on."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient, is_unmigrated, reason
from productator.database.transactions import run_transaction
from productator.domain import utc_now
from productator.workers.background import Background
from refresher.backoff import Backoff
from refresher.leases import claims, row_locks
from refresher.leases.claims import Claim, ClaimRequest, ClaimTransaction
from refresher.leases.row_locks import RowsLocked, raising_rows_locked
from refresher.leases.schedule import Rhythm

log = logging.getLogger(__name__)

# How long products are left out of claims whose rows somebody else has locked.
_AVOIDED_S = 30.0


class _Run(NamedTuple):
    """What a run has claimed, and how many due products it found: others may have been faster."""

    claims: list[Claim]
    found: int


class Claimed(NamedTuple):
    claims: list[Claim]
    # Whether no other product was due.
    is_all: bool
    # Whether they were claimed to probe the service with.
    is_probe: bool


@dataclass
class _Work:
    """What one run does, in this order."""

    returned: list[Claim] = field(default_factory=list)
    makes_delayed_due: bool = False
    request: ClaimRequest | None = None


class Leases:
    """`start` begins a run in the thread, which gives claims back and claims more; `take` has its result."""

    def __init__(self, sessions: sessionmaker[Session], rhythm: Rhythm, *, wake: Callable[[], None]) -> None:
        """The thread calls `wake` when a run has ended."""
        self._sessions = sessions
        self._rhythm = rhythm
        self._thread: Background[_Run] = Background("leases", wake=wake)
        self._next = _Work()
        self._running = _Work()
        self._backoff = Backoff()
        # When delayed products were last made due, by the monotonic clock.
        self._delayed_due_at = -math.inf
        # Until when each product is left out, by the monotonic clock.
        self._avoided_until: dict[int, float] = {}

    @property
    def is_ready(self) -> bool:
        """Whether `start` may be called: no run is going on, and no pause after a failure."""
        return not self._thread.is_busy and self._backoff.is_over

    @property
    def is_busy(self) -> bool:
        return self._thread.is_busy

    @property
    def busy_s(self) -> float:
        """For how long the database has kept the thread waiting."""
        return self._thread.busy_s

    @property
    def has_database(self) -> bool:
        """Whether the last run succeeded."""
        return self._backoff.has_succeeded

    @property
    def failures(self) -> int:
        """How many runs in a row have failed."""
        return self._backoff.failures

    @property
    def avoided(self) -> Set[int]:
        """Products that are left out for now, because somebody else has locked their rows."""
        return {each for each, until in self._avoided_until.items() if until > time.monotonic()}

    def give_back(self, unserved: Iterable[Claim]) -> None:
        """These products become due again as they were, with the next run."""
        self._next.returned += unserved

    def make_delayed_products_due(self) -> None:
        """With the next run, but once a period at most: the service may go down and up again and again."""
        self._next.makes_delayed_due = True

    def start(self, limit: int, *, due_by: datetime | None, is_probe: bool) -> None:
        """Starts a run, if there is anything to do; it claims up to `limit` products due by then or now.

        With a limit of 0 it only gives claims back and makes delayed products due.
        """
        collected = self._next
        is_too_soon = time.monotonic() - self._delayed_due_at < self._rhythm.period.total_seconds()
        makes_delayed_due = collected.makes_delayed_due and not is_too_soon
        if not (limit or collected.returned or makes_delayed_due):
            return
        request = ClaimRequest(limit, due_by or utc_now(), is_probe=is_probe) if limit else None
        self._next = _Work(makes_delayed_due=collected.makes_delayed_due and is_too_soon)
        self._start(_Work(collected.returned, makes_delayed_due, request))

    def take(self) -> Claimed | None:
        """What the last run has claimed, once; None: nothing new. Logs a failure, and pauses after it."""
        try:
            run = self._thread.take()
        except (DBAPIError, RowsLocked) as error:
            self._fail(error.error if isinstance(error, RowsLocked) else error)
            return None
        except Exception:
            # Nobody foresaw it: nothing of the run counts as done.
            self._backoff.failed()
            self._keep_running_work()
            raise
        if run is None:
            return None
        if self._backoff.failures:
            log.info("the database is available again")
        self._backoff.succeeded()
        if self._running.makes_delayed_due:
            self._delayed_due_at = time.monotonic()
        request = self._running.request
        if request is None:
            return None
        return Claimed(run.claims, is_all=run.found < request.limit, is_probe=request.is_probe)

    def finish(self, *, until: float) -> None:
        """Gives all claims back, also those of a run that is still going on."""
        try:
            while (left_s := until - time.monotonic()) > 0:
                run = self._thread.take(wait_s=left_s)
                self.give_back(run.claims if run else [])
                if self._thread.is_busy or not self._next.returned:
                    break
                work, self._next = _Work(self._next.returned), _Work()
                self._start(work)
        except (DBAPIError, RowsLocked) as error:
            log.warning("claims were not given back; they lapse", extra={"error": str(error)})
        else:
            if self._thread.is_busy or self._next.returned:
                log.warning("claims were not given back in time; they lapse")

    def _start(self, work: _Work) -> None:
        self._running = work
        self._thread.start(partial(self._run, work, now=utc_now()))

    def _fail(self, error: DBAPIError) -> None:
        self._backoff.failed()
        if not (is_transient(error) or is_unmigrated(error)):
            # The claims that were to be given back lapse.
            log.error("the database refuses a statement", exc_info=error)
            return
        log.warning("the database is not available", extra={"error": reason(error)})
        self._keep_running_work()

    def _keep_running_work(self) -> None:
        """The next run does what the last one did not."""
        self._next.returned = self._running.returned + self._next.returned
        self._next.makes_delayed_due |= self._running.makes_delayed_due

    def _run(self, work: _Work, *, now: datetime) -> _Run:
        """Runs in the thread; raises RowsLocked, and what else the database raises."""
        if work.returned or work.makes_delayed_due:
            try:
                self._take_back(work, now=now)
            except RowsLocked:
                # The claims on locked rows lapse.
                locked = row_locks.find(self._sessions, sorted(each.product_id for each in work.returned))
                rest = [each for each in work.returned if each.product_id not in locked]
                self._take_back(_Work(rest), now=now)
        return self._claim(work.request, now=now) if work.request else _Run([], 0)

    def _take_back(self, work: _Work, *, now: datetime) -> None:
        def take_back(session: Session) -> None:
            """Does no harm when run twice."""
            with raising_rows_locked():
                claims.give_back(session, work.returned)
                if work.makes_delayed_due:
                    claims.make_delayed_products_due(session, now=now, period=self._rhythm.period)

        run_transaction(self._sessions, take_back)

    def _claim(self, request: ClaimRequest, *, now: datetime) -> _Run:
        claim = self._claim_transaction(request, now)
        try:
            return self._run_claim(claim)
        except RowsLocked:
            until = time.monotonic() + _AVOIDED_S
            self._avoided_until |= dict.fromkeys(row_locks.find(self._sessions, sorted(claim.tried)), until)
        return self._run_claim(self._claim_transaction(request, now))

    def _run_claim(self, claim: ClaimTransaction) -> _Run:
        claims = run_transaction(self._sessions, claim)
        return _Run(claims, len(claim.tried))

    def _claim_transaction(self, request: ClaimRequest, now: datetime) -> ClaimTransaction:
        return ClaimTransaction(replace(request, avoiding=self.avoided), now=now, lease=self._rhythm.lease)
