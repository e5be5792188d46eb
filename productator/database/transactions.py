"""Transactions that run again as a whole after a failure that passes."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient

Result = TypeVar("Result")

ATTEMPTS = 6
_PATIENCE_S = 5


def changed_rows(session: Session, statement: Update | Delete) -> int:
    """Executes the statement; returns how many rows it found, whether or not their values differ now."""
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0


def run_transaction(sessions: sessionmaker[Session], work: Callable[[Session], Result]) -> Result:
    """Runs `work` in a transaction, again as a whole after a transient failure, with growing pauses.

    Only for work that does no harm when run twice: after a commit whose answer was lost it is.
    """
    patient_until = time.monotonic() + _PATIENCE_S
    for attempt in range(ATTEMPTS):
        try:
            with sessions.begin() as session:
                return work(session)
        except DBAPIError as error:
            # Who has waited for long, for a connection, a lock or an answer, is not made to wait again.
            is_too_late = time.monotonic() > patient_until
            if attempt == ATTEMPTS - 1 or is_too_late or not is_transient(error):
                raise
        time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
