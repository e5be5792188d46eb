"""Small chores beside the refreshing: figures are looked up, and what has expired goes, little by little."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator import idempotency
from productator.database.column_types import ServerTime
from productator.database.failures import is_row_locked, is_transient
from productator.database.transactions import run_transaction
from productator.domain import Retention, utc_now
from productator.prices.retention import apply_retention
from refresher.background import Background
from refresher.backlog import WaitingProducts
from refresher.leases import claims
from refresher.worker import Rhythm

log = logging.getLogger(__name__)

_EVERY_S = 10.0
# For what reads much.
_LONG_S = 60.0
# While there is history to roll up or to prune: steps of some hundredths of a second, and at most one part in
# so many of the time. That is some thousand changes a second.
_BETWEEN_STEPS_S = 0.1
_SHARE = 10
# So few that no lock is held for long.
_KEYS_A_TIME = 500


@dataclass
class _Chore:
    # Returns in how many seconds it is to be done again.
    work: Callable[[], float]
    due_at: float = 0.0


class Housekeeping:
    """Done in a thread of its own; that the database is away, or anything else, is no reason to end."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        retention: Retention,
        rhythm: Rhythm,
        waiting: WaitingProducts,
    ) -> None:
        self._sessions = sessions
        self._retention = retention
        self._rhythm = rhythm
        self._waiting = waiting
        self._chores = [
            _Chore(self._forget_keys),
            _Chore(self._recall_strays),
            _Chore(self._look),
            _Chore(self._look_at_all),
            _Chore(self._step_through_history),
        ]
        self._work: Background[bool] = Background("housekeeping", wake=lambda: None)
        # Whether it answered the last time.
        self.has_database = True

    @property
    def busy_s(self) -> float:
        return self._work.busy_s

    def turn(self) -> None:
        """Does a little, now and then."""
        try:
            self.has_database = self._work.taken() or self.has_database
        except DBAPIError as error:
            self._put_up_with(error)
        now = time.monotonic()
        due = [chore for chore in self._chores if chore.due_at <= now]
        if due and not self._work.is_busy:
            self._work.start(partial(_do, due))

    def _put_up_with(self, error: DBAPIError) -> None:
        if is_row_locked(error):
            # Another worker does it.
            return
        log.warning("what has expired is kept for now", extra={"error": str(error.orig)})
        self.has_database = not is_transient(error)

    def _forget_keys(self) -> float:
        run_transaction(self._sessions, partial(idempotency.prune, now=utc_now(), most=_KEYS_A_TIME))
        return _EVERY_S

    def _recall_strays(self) -> float:
        rhythm = self._rhythm
        work = partial(claims.recall_strays, now=utc_now(), period=rhythm.period, lease=rhythm.lease)
        recalled = run_transaction(self._sessions, work)
        if recalled:
            log.warning(
                "products were due too late, as after a clock was set back", extra={"products": recalled}
            )
        return _EVERY_S

    def _look(self) -> float:
        run_transaction(self._sessions, partial(self._waiting.look, now=utc_now()))
        return _EVERY_S

    def _look_at_all(self) -> float:
        run_transaction(self._sessions, partial(self._waiting.look_at_all, now=utc_now()))
        return _LONG_S

    def _step_through_history(self) -> float:
        began = time.monotonic()
        # Not run again: while another worker does the chores, or with any other trouble, they can wait.
        with self._sessions.begin() as session:
            has_more = apply_retention(session, self._retention, now=_earliest_now(session))
        took_s = time.monotonic() - began
        return max(_BETWEEN_STEPS_S, _SHARE * took_s) if has_more else _EVERY_S


def _do(due: Sequence[_Chore]) -> bool:
    for chore in due:
        # Also if it fails.
        chore.due_at = time.monotonic() + _EVERY_S
        chore.due_at = time.monotonic() + chore.work()
    return True


def _earliest_now(session: Session) -> datetime:
    """A clock that is wrongly ahead, ours or the server's, must not make everything old."""
    return min(utc_now(), session.scalar(select(ServerTime())) or datetime.max.replace(tzinfo=UTC))
