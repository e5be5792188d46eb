"""Stores batches in a thread of their own, one at a time, while the worker goes on fetching."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient
from productator.database.transactions import run_transaction
from productator.domain import utc_now
from productator.errors import OffersProtocolError
from refresher.background import Background
from refresher.fetching.journey import Outcome
from refresher.leases import row_locks
from refresher.leases.claims import Claim
from refresher.leases.row_locks import RowsLocked, told_apart
from refresher.storing import batch
from refresher.storing.batch import Schedule, Stored

log = logging.getLogger(__name__)


# Between two tries of a database that is away: doubling, jittered.
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0
_MOST_LOCKED = 3


class Storer:
    """Keeps a batch while the database is away: what was read is not thrown away before its claims lapse."""

    def __init__(self, sessions: sessionmaker[Session], *, wake: Callable[[], None]) -> None:
        self._sessions = sessions
        self._work: Background[Stored] = Background("store", wake=wake)
        self._outcomes: Sequence[Outcome] = ()
        self._plan: Schedule | None = None
        self._failures = 0
        self._again_at = 0.0

    @property
    def held(self) -> int:
        """How many products are in hand."""
        return len(self._outcomes)

    @property
    def busy_s(self) -> float:
        return self._work.busy_s

    def start(self, outcomes: Sequence[Outcome], plan: Schedule) -> None:
        """Begins to store a batch; there is none in hand."""
        self._outcomes, self._plan, self._failures = outcomes, plan, 0
        self._work.start(partial(self._store, outcomes, plan))

    def taken(self) -> Stored:
        """What was stored since the last time. Raises what the database raised, but for what will pass."""
        if self.held and not self._work.is_busy:
            self._try_again()
        try:
            done = self._work.taken()
        except DBAPIError as error:
            if not is_transient(error):
                self._outcomes = ()
                raise
            log.warning("the database is not available", extra={"error": str(error.orig)})
            self._again_at = time.monotonic() + backoff(self._failures)
            self._failures += 1
            return Stored()
        if done is None:
            return Stored()
        self._outcomes = ()
        return done

    def dropped(self) -> list[Claim]:
        """Gives up what is not being stored now; returns its claims."""
        if self._work.is_busy:
            return []
        claims, self._outcomes = [outcome.claim for outcome in self._outcomes], ()
        return claims

    def _try_again(self) -> None:
        now = time.monotonic()
        if now < self._again_at or self._plan is None:
            return
        if all(outcome.claim.lapses_at < now for outcome in self._outcomes):
            lost, self._outcomes = len(self._outcomes), ()
            self._work.start(lambda: Stored(lost=lost))
            return
        self._work.start(partial(self._store, self._outcomes, self._plan))

    def _store(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        try:
            return self._store_together(outcomes, plan)
        except RowsLocked:
            return self._store_around_locks(outcomes, plan)
        except DBAPIError as error:
            if is_transient(error):
                raise
        # One of them cannot be stored: it must not take the others with it.
        log.error("a batch cannot be stored, storing its products one by one", exc_info=True)
        return self._store_each(outcomes, plan)

    def _store_together(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        began = time.monotonic()
        work = partial(_store_batch, outcomes=outcomes, plan=plan)
        done = run_transaction(self._sessions, work)
        done.batches_s.append(time.monotonic() - began)
        return done

    def _store_around_locks(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        """Products whose rows somebody holds are left to lapse; the others do not wait for them."""
        held = row_locks.find(self._sessions, sorted(outcome.claim.product_id for outcome in outcomes))
        log.warning(
            "somebody holds rows for long",
            extra={"products": len(held), "for_example": min(held, default=None)},
        )
        rest = [outcome for outcome in outcomes if outcome.claim.product_id not in held]
        done = Stored(lost=len(held))
        try:
            done.add(self._store_together(rest, plan))
        except RowsLocked:
            done.add(self._store_each(rest, plan))
        return done

    def _store_each(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        done = Stored()
        for number, outcome in enumerate(outcomes):
            if done.lost >= _MOST_LOCKED:
                # It is not single rows that somebody holds, and each of them costs a wait.
                done.lost += len(outcomes) - number
                break
            done.add(self._store_alone(outcome, plan))
        return done

    def _store_alone(self, outcome: Outcome, plan: Schedule) -> Stored:
        try:
            return self._store_together([outcome], plan)
        except RowsLocked:
            return Stored(lost=1)
        except DBAPIError as error:
            if is_transient(error):
                raise
            refused = OffersProtocolError("The database refuses what the Offers service answered.")
            return self._store_together([replace(outcome, offers=None, error=refused)], plan)


def _store_batch(session: Session, *, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
    with told_apart():
        return batch.store(session, outcomes, plan, now=utc_now())


def backoff(failures: int) -> float:
    """Seconds to wait for the database after so many failures in a row."""
    pause_s: float = min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** min(failures, 10))
    return pause_s * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
