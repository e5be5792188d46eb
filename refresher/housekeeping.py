"""Small chores that the refresher does between its turns: what has expired goes, a little at a time."""

import logging
import time
from functools import partial

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.engine import run_transaction
from productator.services import idempotency

log = logging.getLogger(__name__)

_EVERY_S = 10.0
# So few that no lock is held for long.
_KEYS_A_TIME = 500


class Housekeeping:
    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._next_at = 0.0

    def turn(self) -> None:
        """Does a little, now and then; that the database is away is no reason to end."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _EVERY_S
        try:
            run_transaction(self._sessions, partial(idempotency.prune, now=utc_now(), most=_KEYS_A_TIME))
        except DBAPIError as error:
            log.warning("expired keys are kept for now", extra={"error": str(error.orig)})
