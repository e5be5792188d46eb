"""Small chores that the refresher does between its turns: what has expired goes, a little at a time."""

import logging
import time
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import Retention, utc_now
from productator.engine import run_transaction
from productator.models.base import ServerTime
from productator.services import idempotency
from refresher import chores, claims
from refresher.waiting import WaitingProducts
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


class Housekeeping:
    def __init__(
        self,
        sessions: sessionmaker[Session],
        retention: Retention,
        rhythm: Rhythm,
        waiting: WaitingProducts,
    ) -> None:
        self._sessions = sessions
        self._waiting = waiting
        self._look_at = 0.0
        self._look_at_all_at = 0.0
        self._retention = retention
        self._rhythm = rhythm
        self._strays_at = 0.0
        self._keys_at = 0.0
        self._history_at = 0.0

    def turn(self) -> None:
        """Does a little, now and then; that the database is away is no reason to end."""
        now_s = time.monotonic()
        try:
            if now_s >= self._keys_at:
                self._keys_at = now_s + _EVERY_S
                run_transaction(self._sessions, partial(idempotency.prune, now=utc_now(), most=_KEYS_A_TIME))
            if now_s >= self._strays_at:
                self._strays_at = now_s + _EVERY_S
                self._recall_strays()
            if now_s >= self._look_at:
                self._look_at = now_s + _EVERY_S
                run_transaction(self._sessions, partial(self._waiting.look, now=utc_now()))
            if now_s >= self._look_at_all_at:
                self._look_at_all_at = now_s + _LONG_S
                run_transaction(self._sessions, partial(self._waiting.look_at_all, now=utc_now()))
            if now_s >= self._history_at:
                self._history_at = now_s + _EVERY_S
                if self._step():
                    took_s = time.monotonic() - now_s
                    self._history_at = now_s + max(_BETWEEN_STEPS_S, _SHARE * took_s)
        except DBAPIError as error:
            log.warning("what has expired is kept for now", extra={"error": str(error.orig)})

    def _recall_strays(self) -> None:
        work = partial(
            claims.recall_strays, now=utc_now(), period=self._rhythm.period, lease=self._rhythm.lease
        )
        recalled = run_transaction(self._sessions, work)
        if recalled:
            log.warning(
                "products were due too late, as after a clock was set back", extra={"products": recalled}
            )

    def _step(self) -> bool:
        # Not run again: while another worker does the chores, or with any other trouble, they can wait.
        with self._sessions.begin() as session:
            return chores.step(session, self._retention, now=_earliest_now(session))


def _earliest_now(session: Session) -> datetime:
    """A clock that is wrongly ahead, ours or the server's, must not make everything old."""
    return min(utc_now(), session.scalar(select(ServerTime())) or datetime.max.replace(tzinfo=UTC))
