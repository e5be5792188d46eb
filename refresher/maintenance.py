"""Small tasks beside refreshing: measures the backlog, repairs due times, deletes what has expired."""

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
from productator.database.failures import is_row_locked, is_transient, is_unmigrated, reason
from productator.database.transactions import run_transaction
from productator.domain import Retention, utc_now
from productator.prices.retention import apply_retention
from refresher.background import Background
from refresher.leases import claims
from refresher.leases.schedule import Rhythm
from refresher.metrics import Backlog

log = logging.getLogger(__name__)

_EVERY_S = 10.0
# For a task that reads much.
_LONG_S = 60.0
# While there is history to roll up or to delete: steps of some hundredths of a second, with pauses, for one
# part in so many of the time. That is some thousand changes a second.
_BETWEEN_STEPS_S = 0.1
_SHARE = 10
# So few that no lock lasts long.
_KEYS_A_TIME = 500


@dataclass
class _Task:
    # Returns in how many seconds it is due again.
    work: Callable[[], float]
    due_at: float = 0.0


class Maintenance:
    """Runs in a thread of its own; no failure ends it."""

    def __init__(
        self, sessions: sessionmaker[Session], retention: Retention, rhythm: Rhythm, backlog: Backlog
    ) -> None:
        self._sessions = sessions
        self._retention = retention
        self._rhythm = rhythm
        self._backlog = backlog
        self._tasks = [
            _Task(self._delete_idempotency_keys),
            _Task(self._recall_products_due_too_late),
            _Task(self._measure_waiting),
            _Task(self._measure_age),
            _Task(self._shorten_history),
        ]
        self._thread: Background[bool] = Background("maintenance", wake=lambda: None)
        # Whether the last run succeeded.
        self.has_database = True

    @property
    def busy_s(self) -> float:
        return self._thread.busy_s

    def turn(self) -> None:
        """Starts the tasks that are due, if none is running."""
        try:
            self.has_database = self._thread.take() or self.has_database
        except DBAPIError as error:
            # With a locked row another worker does the task.
            if not is_row_locked(error):
                log.warning("maintenance failed; it is repeated", extra={"error": reason(error)})
                self.has_database = not (is_transient(error) or is_unmigrated(error))
        now = time.monotonic()
        due = [task for task in self._tasks if task.due_at <= now]
        if due and not self._thread.is_busy:
            self._thread.start(partial(_run, due))

    def _delete_idempotency_keys(self) -> float:
        run_transaction(self._sessions, partial(idempotency.prune, now=utc_now(), most=_KEYS_A_TIME))
        return _EVERY_S

    def _recall_products_due_too_late(self) -> float:
        work = partial(claims.recall_products_due_too_late, now=utc_now(), rhythm=self._rhythm)
        recalled = run_transaction(self._sessions, work)
        if recalled:
            log.warning(
                "products were due too late, as if a clock was set back", extra={"products": recalled}
            )
        return _EVERY_S

    def _measure_waiting(self) -> float:
        run_transaction(self._sessions, partial(self._backlog.measure_waiting, now=utc_now()))
        return _EVERY_S

    def _measure_age(self) -> float:
        run_transaction(self._sessions, partial(self._backlog.measure_age, now=utc_now()))
        return _LONG_S

    def _shorten_history(self) -> float:
        began = time.monotonic()
        # Not repeated after a failure: another worker does it now, or it can wait.
        with self._sessions.begin() as session:
            has_more = apply_retention(session, self._retention, now=_earliest_now(session))
        took_s = time.monotonic() - began
        return max(_BETWEEN_STEPS_S, _SHARE * took_s) if has_more else _EVERY_S


def _run(due: Sequence[_Task]) -> bool:
    for task in due:
        # Also if it fails.
        task.due_at = time.monotonic() + _EVERY_S
        task.due_at = time.monotonic() + task.work()
    return True


def _earliest_now(session: Session) -> datetime:
    """A clock that is wrongly ahead, ours or the server's, must not make everything old."""
    return min(utc_now(), session.scalar(select(ServerTime())) or datetime.max.replace(tzinfo=UTC))
