"""What a notifier does again and again: it evaluates the rules about products that changed, and watches."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import cast
from uuid import uuid4

from sqlalchemy import ColumnElement, Table, delete, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts import evaluation, watching
from productator.database.bulk import slices
from productator.database.failures import is_transient
from productator.database.transactions import run_transaction
from productator.models import AlertState, ChangedProduct

log = logging.getLogger(__name__)

PRODUCTS_A_TIME = 100
# Longer than it takes to look at so many products. Those of a killed notifier wait for its end.
LEASE = timedelta(seconds=30)
# So few that a rule is not locked for long.
_PRODUCTS_A_TRANSACTION = 20
_OUTBOX = cast("Table", ChangedProduct.__table__)
_STATES = cast("Table", AlertState.__table__)


class Evaluator:
    """Evaluates some products at a time, until it is stopped."""

    def __init__(
        self, sessions: sessionmaker[Session], period: timedelta, *, currency: str | None = None
    ) -> None:
        self._sessions = sessions
        self._period = period
        self._currency = currency
        # Of a claim that was not brought to its end, since the database failed.
        self._unfinished: str | None = None
        self._is_stopping = False

    def run_once(self, now: datetime) -> tuple[int, int]:
        """How many products were looked at, and how many events were written."""
        self.give_back()
        written = watching.run(self._sessions, self._period, now)
        run_transaction(self._sessions, partial(_note_due, now=now))
        self._unfinished = token = uuid4().hex
        claimed = run_transaction(self._sessions, partial(claim, token=token, now=now))
        looked_at = 0
        for some in slices(list(claimed.items()), _PRODUCTS_A_TRANSACTION):
            if self._is_stopping:
                return looked_at, written
            written += self._evaluate(dict(some), now)
            looked_at += len(some)
        self._unfinished = None
        return looked_at, written

    def _evaluate(self, rows: Mapping[int, list[int]], now: datetime) -> int:
        """Several products in one transaction; each alone if one of them fails, so that the others do not."""
        work = partial(_evaluate, rows=rows, period=self._period, now=now, currency=self._currency)
        try:
            return run_transaction(self._sessions, work)
        except Exception as error:
            if isinstance(error, DBAPIError) and is_transient(error):
                raise
        alone = partial(
            evaluate_product, self._sessions, period=self._period, now=now, currency=self._currency
        )
        return sum(alone(product_id, its) for product_id, its in rows.items())

    def stop(self) -> None:
        """A run in another thread ends after its transaction, which is about up to 20 products."""
        self._is_stopping = True

    def give_back(self) -> None:
        """What a run has claimed and not looked at is free again, for this notifier or another."""
        if self._unfinished is not None:
            run_transaction(self._sessions, partial(release, token=self._unfinished))
            self._unfinished = None


def claim(session: Session, token: str, *, now: datetime) -> dict[int, list[int]]:
    """Takes rows of the outbox for a time, the oldest first; a dead notifier's are taken again.

    Returns the rows of each product. The token is the caller's: a transaction that is repeated finds what it
    had taken already.
    """
    is_free = or_(_OUTBOX.c.claimed_until.is_(None), _OUTBOX.c.claimed_until < now)
    found = session.scalars(select(_OUTBOX.c.id).where(is_free).order_by(_OUTBOX.c.id).limit(PRODUCTS_A_TIME))
    ids = found.all()
    if ids:
        claiming = update(_OUTBOX).where(_OUTBOX.c.id.in_(ids), is_free)
        session.execute(claiming.values(claim_token=token, claimed_until=now + LEASE))
    rows: dict[int, list[int]] = {}
    taken = select(_OUTBOX.c.id, _OUTBOX.c.product_id).where(_OUTBOX.c.claim_token == token)
    for row_id, product_id in session.execute(taken.order_by(_OUTBOX.c.id)):
        rows.setdefault(product_id, []).append(row_id)
    return rows


def release(session: Session, token: str) -> None:
    _free(session, _OUTBOX.c.claim_token == token)


def _free(session: Session, which: ColumnElement[bool]) -> None:
    statement = update(_OUTBOX).where(which)
    session.execute(statement.values(claim_token=None, claimed_until=None))


def _note_due(session: Session, *, now: datetime) -> None:
    """Puts products into the outbox that time alone may bring news of."""
    is_due = _STATES.c.product_id.is_not(None) & (_STATES.c.check_at <= now)
    query = select(_STATES.c.id, _STATES.c.product_id).where(is_due).order_by(_STATES.c.check_at)
    due = session.execute(query.limit(PRODUCTS_A_TIME)).all()
    if not due:
        return
    session.execute(update(_STATES).where(_STATES.c.id.in_([each for each, _ in due])).values(check_at=None))
    product_ids = dict.fromkeys(product_id for _, product_id in due)
    session.execute(insert(_OUTBOX), [{"product_id": each, "noted_at": now} for each in product_ids])


def evaluate_product(
    sessions: sessionmaker[Session],
    product_id: int,
    rows: list[int],
    *,
    period: timedelta,
    now: datetime,
    currency: str | None,
) -> int:
    """Returns how many events were written; the rows of the outbox go with them."""

    work = partial(_evaluate, rows={product_id: rows}, period=period, now=now, currency=currency)
    try:
        return run_transaction(sessions, work)
    except IntegrityError:
        # Another notifier looked at it for the first time, too: it is looked at again.
        run_transaction(sessions, partial(_free, which=_OUTBOX.c.id.in_(rows)))
    except Exception as error:
        if isinstance(error, DBAPIError) and is_transient(error):
            raise
        # One product that cannot be evaluated must not keep the others from it. Its rows stay for later.
        log.exception("the alert rules about a product were not evaluated", extra={"product_id": product_id})
    return 0


def _evaluate(
    session: Session,
    rows: Mapping[int, list[int]],
    *,
    period: timedelta,
    now: datetime,
    currency: str | None,
) -> int:
    written = evaluation.evaluate(session, list(rows), period=period, now=now, currency=currency)
    looked_at = [each for its in rows.values() for each in its]
    session.execute(delete(_OUTBOX).where(_OUTBOX.c.id.in_(looked_at)))
    return written
