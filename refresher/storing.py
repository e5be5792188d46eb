"""Stores batches in a thread of their own, one at a time, while the worker goes on fetching."""

import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from itertools import count

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.engine import is_transient, run_transaction
from productator.errors import OffersProtocolError
from refresher import store
from refresher.pipeline import Outcome
from refresher.store import Schedule, Stored

log = logging.getLogger(__name__)


# Between two tries of a database that is away: doubling, jittered.
_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 4.0


class Storer:
    def __init__(self, sessions: sessionmaker[Session], *, patience_s: float) -> None:
        """`patience_s`: for so long a batch is tried while the database is away."""
        self._sessions = sessions
        self._patience_s = patience_s
        self._batch: Future[Stored] | None = None
        # How many products are in hand.
        self.held = 0

    def start(self, outcomes: Sequence[Outcome], plan: Schedule) -> None:
        """Begins to store a batch; the last one has been `taken`."""
        batch = self._batch = Future()
        self.held = len(outcomes)
        # A daemon, so that a database that never answers cannot keep the process from ending.
        arguments = (batch, outcomes, plan)
        threading.Thread(target=self._fulfil, args=arguments, name="store", daemon=True).start()

    def taken(self, *, wait_s: float | None) -> Stored:
        """What was stored since the last time; waits for what is being stored, None: until its end.

        Raises what the database raised.
        """
        if self._batch is None or not wait([self._batch], wait_s).done:
            return Stored()
        batch, self._batch, self.held = self._batch, None, 0
        return batch.result()

    def _fulfil(self, batch: Future[Stored], outcomes: Sequence[Outcome], plan: Schedule) -> None:
        try:
            batch.set_result(self._store_patiently(outcomes, plan))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the batch is taken
            batch.set_exception(error)

    def _store_patiently(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        """What was read is not thrown away: the claims stand until their lease ends."""
        deadline = time.monotonic() + self._patience_s
        for failures in count():
            try:
                return self._store(outcomes, plan)
            except DBAPIError as error:
                if not is_transient(error) or time.monotonic() > deadline:
                    raise
                log.warning("the database is not available", extra={"error": str(error.orig)})
            time.sleep(backoff(failures))
        raise AssertionError("unreachable")

    def _store(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        try:
            return self._store_together(outcomes, plan)
        except DBAPIError as error:
            if is_transient(error):
                raise
        # One of them cannot be stored: it must not take the others with it.
        log.error("a batch cannot be stored, storing its products one by one", exc_info=True)
        done = Stored()
        for outcome in outcomes:
            done.add(self._store_alone(outcome, plan))
        return done

    def _store_together(self, outcomes: Sequence[Outcome], plan: Schedule) -> Stored:
        began = time.monotonic()
        work = partial(store.store, outcomes=outcomes, plan=plan, now=utc_now())
        done = run_transaction(self._sessions, work)
        done.batches_s.append(time.monotonic() - began)
        return done

    def _store_alone(self, outcome: Outcome, plan: Schedule) -> Stored:
        try:
            return self._store_together([outcome], plan)
        except DBAPIError as error:
            if is_transient(error):
                raise
            refused = OffersProtocolError("The database refuses what the Offers service answered.")
            return self._store_together([replace(outcome, offers=None, error=refused)], plan)


def backoff(failures: int) -> float:
    """Seconds to wait for the database after so many failures in a row."""
    pause_s: float = min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** min(failures, 10))
    return pause_s * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
