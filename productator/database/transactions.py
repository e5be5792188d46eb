"""Transactions that are retried as a whole after a transient error."""

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
_RETRY_FOR_S = 5


def changed_rows(session: Session, statement: Update | Delete) -> int:
    """Executes the statement; returns how many rows it matched, changed or not."""
    result = session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0


def run_transaction(sessions: sessionmaker[Session], work: Callable[[Session], Result]) -> Result:
    """Runs `work` in a transaction and retries both after a transient error, with backoff.

    The work must be harmless when it runs twice: it does after a commit whose answer was lost.
    """
    deadline = time.monotonic() + _RETRY_FOR_S
    for attempt in range(ATTEMPTS):
        try:
            with sessions.begin() as session:
                return work(session)
        except DBAPIError as error:
            # No retry after a long wait for a connection, a lock or an answer.
            is_too_late = time.monotonic() > deadline
            if attempt == ATTEMPTS - 1 or is_too_late or not is_transient(error):
                raise
        time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
