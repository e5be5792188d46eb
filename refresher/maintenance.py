"""Small tasks beside refreshing: measures the backlog, repairs times and terms, deletes what has expired."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator import idempotency
from productator.catalogue.term_repair import RepairStep, repair_some
from productator.database.failures import is_row_locked, is_transient, is_unmigrated, reason
from productator.database.transactions import run_transaction
from productator.domain import Retention, utc_now
from productator.operation.heartbeats import EVERY_S, beat
from productator.prices import clock_jumps, day_figures, product_prices
from productator.prices.retention import apply_retention
from productator.workers.background import Background
from refresher.leases import claims
from refresher.leases.schedule import Rhythm
from refresher.metrics import Backlog
from refresher.vitals import OwnVitals

log = logging.getLogger(__name__)

_EVERY_S = 10.0
# For a task that reads much.
_LONG_S = 60.0
# While there is history to roll up or to delete: steps of some hundredths of a second, with pauses, for one
# part in so many of the time. That is some thousand changes a second.
_BETWEEN_STEPS_S = 0.1
_SHARE = 10
# While it looks at a thousand products after the other.
_BETWEEN_PRODUCTS_S = 1.0
# So few that no lock lasts long.
_KEYS_A_TIME = 500
# How long expired keys may keep the other tasks waiting.
_LONGEST_DELETING_S = 5.0


@dataclass
class _Task:
    # Returns in how many seconds it is due again.
    work: Callable[[], float]
    due_at: float = 0.0


class Maintenance:
    """Runs in a thread of its own; no failure ends it."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        retention: Retention,
        rhythm: Rhythm,
        backlog: Backlog,
        vitals: OwnVitals,
    ) -> None:
        self._sessions = sessions
        self._retention = retention
        self._rhythm = rhythm
        self._backlog = backlog
        self._vitals = vitals
        self._tasks = [
            _Task(self._beat),
            _Task(self._delete_idempotency_keys),
            _Task(self._recall_products_due_too_late),
            _Task(self._move_future_prices_to_now),
            _Task(self._bring_product_prices_up_to_date),
            _Task(self._repair_search_terms),
            _Task(self._measure_waiting),
            _Task(self._measure_all),
            _Task(self._shorten_history),
            _Task(self._keep_day_figures),
        ]
        # The last product whose times were looked at, and the last one whose prices.
        self._product_id = 0
        self._priced_product_id = 0
        # Up to where the products' search terms were looked at.
        self._terms = RepairStep(None, has_more=True, repaired=0)
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

    def _beat(self) -> float:
        """Writes this refresher's row for the page of the system."""
        vitals, counted = self._vitals.read()
        run_transaction(self._sessions, partial(beat, vitals=vitals, counted=counted, now=utc_now()))
        self._vitals.written(counted)
        return EVERY_S

    def _delete_idempotency_keys(self) -> float:
        """Hundreds in a commit, for half of the time: the API adds one in a commit, so it adds fewer."""
        work = partial(idempotency.prune, now=utc_now(), most=_KEYS_A_TIME)
        until = time.monotonic() + _LONGEST_DELETING_S
        while True:
            began = time.monotonic()
            if run_transaction(self._sessions, work) < _KEYS_A_TIME:
                return _EVERY_S
            # SQLite has one writer at a time, and the API wants to be it.
            time.sleep(time.monotonic() - began)
            if time.monotonic() > until:
                return 0.0

    def _recall_products_due_too_late(self) -> float:
        work = partial(claims.recall_products_due_too_late, now=utc_now(), rhythm=self._rhythm)
        recalled = run_transaction(self._sessions, work)
        if recalled:
            log.warning(
                "products were due too late, as if a clock was set back", extra={"products": recalled}
            )
        return _EVERY_S

    def _move_future_prices_to_now(self) -> float:
        work = partial(clock_jumps.move_some_to_now, after=self._product_id)
        self._product_id = run_transaction(self._sessions, work)
        return _BETWEEN_PRODUCTS_S if self._product_id else _EVERY_S

    def _bring_product_prices_up_to_date(self) -> float:
        began = time.monotonic()
        work = partial(product_prices.bring_up_to_date, after=self._priced_product_id, now=utc_now())
        self._priced_product_id = run_transaction(self._sessions, work)
        took_s = time.monotonic() - began
        return max(_BETWEEN_STEPS_S, _SHARE * took_s) if self._priced_product_id else _LONG_S

    def _repair_search_terms(self) -> float:
        work = partial(repair_some, position=self._terms.position)
        self._terms = run_transaction(self._sessions, work)
        if self._terms.repaired:
            log.warning(
                "search terms did not fit, as if an older version runs",
                extra={"products": self._terms.repaired},
            )
        return _BETWEEN_PRODUCTS_S if self._terms.has_more else _EVERY_S

    def _measure_waiting(self) -> float:
        run_transaction(self._sessions, partial(self._backlog.measure_waiting, now=utc_now()))
        return _EVERY_S

    def _measure_all(self) -> float:
        run_transaction(self._sessions, partial(self._backlog.measure_all, now=utc_now()))
        return _LONG_S

    def _shorten_history(self) -> float:
        began = time.monotonic()
        # Not repeated after a failure: another worker does it now, or it can wait.
        with self._sessions.begin() as session:
            # A clock that is wrongly ahead must not make everything old.
            has_more = apply_retention(session, self._retention, now=clock_jumps.clocks(session).earliest)
        took_s = time.monotonic() - began
        return max(_BETWEEN_STEPS_S, _SHARE * took_s) if has_more else _EVERY_S

    def _keep_day_figures(self) -> float:
        began = time.monotonic()
        # As above.
        with self._sessions.begin() as session:
            has_more = day_figures.keep_some(session, now=clock_jumps.clocks(session).earliest)
        took_s = time.monotonic() - began
        return max(_BETWEEN_STEPS_S, _SHARE * took_s) if has_more else _EVERY_S


def _run(due: Sequence[_Task]) -> bool:
    for task in due:
        # Also if it fails.
        task.due_at = time.monotonic() + _EVERY_S
        task.due_at = time.monotonic() + task.work()
    return True
