"""Stores a batch: in the one transaction of `batch.py`, or, if that fails, as many products as possible."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient
from productator.database.transactions import run_transaction
from productator.domain import utc_now
from productator.errors import OffersProtocolError
from refresher.fetching.journey import FetchResult
from refresher.leases import row_locks
from refresher.leases.row_locks import RowsLocked, raising_rows_locked
from refresher.metrics import StoreResult
from refresher.storing import batch
from refresher.storing.due_policy import DuePolicy

log = logging.getLogger(__name__)

# More locked products than that are no single rows, and each costs a wait: the rest is left to lapse.
_MOST_LOCKED = 3

# SQLite has one writer at a time, and those who wait look ten times a second whether it is their turn. After
# a long transaction they get as much time as it took.
_LONG_S = 0.15

Sessions = sessionmaker[Session]


def store_batch(sessions: Sessions, results: Sequence[FetchResult], policy: DuePolicy) -> StoreResult:
    """Raises the transient failures of the database, and what not even failures can be stored for."""
    try:
        return _store_together(sessions, results, policy)
    except RowsLocked:
        return _store_unlocked(sessions, results, policy)
    except DBAPIError as error:
        if is_transient(error):
            raise
        log.exception("the database refuses a batch; storing its products one by one")
    except Exception:
        log.exception("a batch cannot be stored; storing its products one by one")
    # One product is at fault, which must not take the others with it.
    return _store_each(sessions, results, policy)


def _store_together(sessions: Sessions, results: Sequence[FetchResult], policy: DuePolicy) -> StoreResult:
    def store(session: Session) -> tuple[StoreResult, bool]:
        with raising_rows_locked():
            stored = batch.store(session, results, policy, now=utc_now())
        return stored, session.connection().dialect.name == "sqlite"

    began = time.monotonic()
    stored, has_one_writer = run_transaction(sessions, store)
    took_s = time.monotonic() - began
    stored.batches_s.append(took_s)
    if has_one_writer and took_s > _LONG_S:
        time.sleep(took_s)
    return stored


def _store_unlocked(sessions: Sessions, results: Sequence[FetchResult], policy: DuePolicy) -> StoreResult:
    """The claims on locked rows lapse; the other products do not wait for them."""
    locked = row_locks.find(sessions, sorted(result.claim.product_id for result in results))
    log.warning(
        "somebody keeps rows locked",
        extra={"products": len(locked), "for_example": min(locked, default=None)},
    )
    rest = [result for result in results if result.claim.product_id not in locked]
    stored = StoreResult(lost=len(locked))
    try:
        stored.add(_store_together(sessions, rest, policy))
    except RowsLocked:
        stored.add(_store_each(sessions, rest, policy))
    return stored


def _store_each(sessions: Sessions, results: Sequence[FetchResult], policy: DuePolicy) -> StoreResult:
    stored = StoreResult()
    for number, result in enumerate(results):
        if stored.lost >= _MOST_LOCKED:
            stored.lost += len(results) - number
            break
        stored.add(_store_alone(sessions, result, policy))
    return stored


def _store_alone(sessions: Sessions, result: FetchResult, policy: DuePolicy) -> StoreResult:
    try:
        return _store_together(sessions, [result], policy)
    except RowsLocked:
        return StoreResult(lost=1)
    except DBAPIError as error:
        if is_transient(error):
            raise
        problem = "The database refuses what the Offers service answered."
    except Exception as error:  # noqa: BLE001 - the line about the batch has the traceback
        facts = {"product_id": result.claim.product_id, "error": repr(error)}
        log.warning("offers cannot be stored", extra=facts)
        problem = "The offers could not be stored: the refresher's log says why."
    failed = replace(result, offers=None, refused=(), error=OffersProtocolError(problem))
    return _store_together(sessions, [failed], policy)
