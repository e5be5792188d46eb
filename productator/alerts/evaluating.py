"""What a notifier does again and again: it evaluates the rules about products that changed, and watches."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, cast
from uuid import uuid4

from sqlalchemy import Table, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from productator.alerts import evaluation, watching
from productator.database.transactions import run_transaction
from productator.models import AlertState, ChangedProduct

log = logging.getLogger(__name__)

PRODUCTS_A_TIME = 200
# Longer than it takes to look at so many products.
LEASE = timedelta(seconds=120)
_OUTBOX = cast("Table", ChangedProduct.__table__)
_STATES = cast("Table", AlertState.__table__)


class ClaimedChanges(NamedTuple):
    token: str
    # The rows of the outbox, by product.
    rows: dict[int, list[int]]


def run_once(
    sessions: sessionmaker[Session], period: timedelta, now: datetime, *, currency: str | None = None
) -> tuple[int, int]:
    """How many products were looked at, and how many events were written."""
    written = watching.run(sessions, period, now)
    run_transaction(sessions, partial(_note_due, now=now))
    claimed = run_transaction(sessions, partial(claim, now=now))
    for product_id, rows in claimed.rows.items():
        written += evaluate_product(sessions, product_id, rows, period=period, now=now, currency=currency)
    return len(claimed.rows), written


def claim(session: Session, *, now: datetime) -> ClaimedChanges:
    """Takes rows of the outbox for a time, the oldest first; a dead notifier's are taken again."""
    token = uuid4().hex
    is_free = or_(_OUTBOX.c.claimed_until.is_(None), _OUTBOX.c.claimed_until < now)
    found = session.scalars(select(_OUTBOX.c.id).where(is_free).order_by(_OUTBOX.c.id).limit(PRODUCTS_A_TIME))
    ids = found.all()
    rows: dict[int, list[int]] = {}
    if not ids:
        return ClaimedChanges(token, rows)
    claiming = update(_OUTBOX).where(_OUTBOX.c.id.in_(ids), is_free)
    session.execute(claiming.values(claim_token=token, claimed_until=now + LEASE))
    taken = select(_OUTBOX.c.id, _OUTBOX.c.product_id).where(_OUTBOX.c.claim_token == token)
    for row_id, product_id in session.execute(taken.order_by(_OUTBOX.c.id)):
        rows.setdefault(product_id, []).append(row_id)
    return ClaimedChanges(token, rows)


def release(session: Session, rows: list[int]) -> None:
    statement = update(_OUTBOX).where(_OUTBOX.c.id.in_(rows))
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
    session.execute(insert(_OUTBOX), [{"product_id": product_id} for product_id in product_ids])


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

    def work(session: Session) -> int:
        written = evaluation.evaluate(session, product_id, period=period, now=now, currency=currency)
        session.execute(delete(_OUTBOX).where(_OUTBOX.c.id.in_(rows)))
        return written

    try:
        return run_transaction(sessions, work)
    except (IntegrityError, StaleDataError):
        # Another notifier looked at it at the same time, or its rule was changed: it is looked at again.
        run_transaction(sessions, partial(release, rows=rows))
    except Exception:
        # One product that cannot be evaluated must not keep the others from it. Its rows stay for later.
        log.exception("the alert rules about a product were not evaluated", extra={"product_id": product_id})
    return 0
