"""Which products are ours for the next minute: leases, taken and given back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from sqlalchemy import Connection, Table, and_, case, or_, select, update
from sqlalchemy.orm import Session

from productator.models import Product, Refresh
from refresher import schedule

_REFRESHES = cast("Table", Refresh.__table__)
_PRODUCTS = cast("Table", Product.__table__)
# One in so many claims is for a new product even when all others are late.
_SHARE_OF_NEW = 4
# Between the machines of several refreshers, in good order.
_CLOCKS_DIFFER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """A product that this worker holds until its lease ends."""

    product_id: int
    token: str
    # When it was due: its place in the rhythm.
    slot: datetime
    failures: int
    remote_id: str
    # Of the answer that the stored offers are from; None: not known.
    answer_digest: str | None
    # What to register the product with; None: it is registered.
    draft: tuple[str, str] | None


def claim_due(
    session: Session, *, limit: int, due_by: datetime, now: datetime, lease: timedelta
) -> list[Claim]:
    """Takes up to `limit` products that were due, longest-waiting first.

    Two workers never hold one product: the UPDATE repeats the condition, and who comes second finds it false.
    """
    connection = session.connection()
    due = _due(connection, limit=limit, due_by=due_by)
    if not due:
        return []
    token = uuid4().hex
    connection.execute(
        update(_REFRESHES)
        .where(_REFRESHES.c.product_id.in_(sorted(due)), _REFRESHES.c.due_at <= due_by)
        .values(claim_token=token, due_at=now + lease)
    )
    return _held(connection, token, due)


def _due(connection: Connection, *, limit: int, due_by: datetime) -> dict[int, datetime]:
    """Registered products first, so that ten thousand new ones do not hold them up.

    New ones get what those leave, but at least a share: they must not starve when there is too much to do.
    """
    known = _longest_waiting(connection, limit, due_by, pending=False)
    new = _longest_waiting(connection, max(limit - len(known), limit // _SHARE_OF_NEW), due_by, pending=True)
    return dict(known[: limit - len(new)] + new)


def _longest_waiting(
    connection: Connection, limit: int, due_by: datetime, *, pending: bool
) -> list[tuple[int, datetime]]:
    if not limit:
        return []
    query = (
        select(_REFRESHES.c.product_id, _REFRESHES.c.due_at)
        .where(_REFRESHES.c.pending == pending, _REFRESHES.c.due_at <= due_by)
        .order_by(_REFRESHES.c.due_at, _REFRESHES.c.product_id)
        .limit(limit)
    )
    return [(product_id, due_at) for product_id, due_at in connection.execute(query)]


def _held(connection: Connection, token: str, due: dict[int, datetime]) -> list[Claim]:
    is_new = _PRODUCTS.c.registered_at.is_(None)
    query = (
        select(
            _REFRESHES.c.product_id,
            _REFRESHES.c.failures,
            _REFRESHES.c.answer_digest,
            _PRODUCTS.c.remote_id,
            # Texts are long and mostly not needed.
            case((is_new, _PRODUCTS.c.name)),
            case((is_new, _PRODUCTS.c.description)),
        )
        .join(_PRODUCTS, _PRODUCTS.c.id == _REFRESHES.c.product_id)
        .where(_REFRESHES.c.product_id.in_(sorted(due)), _REFRESHES.c.claim_token == token)
    )
    return [
        Claim(
            product_id,
            token,
            due[product_id],
            failures,
            remote_id,
            answer_digest,
            None if name is None else (name, description),
        )
        for product_id, failures, answer_digest, remote_id, name, description in connection.execute(query)
    ]


def give_back(session: Session, claims: Sequence[Claim]) -> None:
    """Makes products that were claimed but not served due again as they were."""
    together = defaultdict(list)
    for claim in claims:
        together[claim.token, claim.slot].append(claim.product_id)
    for (token, slot), product_ids in together.items():
        session.connection().execute(
            update(_REFRESHES)
            .where(_REFRESHES.c.product_id.in_(sorted(product_ids)), _REFRESHES.c.claim_token == token)
            .values(claim_token=None, due_at=slot)
        )


def recall_strays(session: Session, *, now: datetime, period: timedelta, lease: timedelta) -> int:
    """Makes due at once what is due later than it can rightly be; returns how many products that were.

    So it is after a clock was set back, here or where another refresher runs: the slots lie as far ahead as
    it was, and nobody would refresh those products until then.
    """
    longest_pause = schedule.LONGEST_PAUSE + lease + period
    is_free = and_(_REFRESHES.c.claim_token.is_(None), _REFRESHES.c.failures == 0)
    statement = (
        update(_REFRESHES)
        # Both lanes are named so that the index is of use.
        .where(_REFRESHES.c.pending.in_([False, True]), _REFRESHES.c.due_at > now + period + _CLOCKS_DIFFER)
        .where(or_(is_free, _REFRESHES.c.due_at > now + longest_pause))
        .values(due_at=schedule.on_grid(now), claim_token=None)
    )
    return session.connection().execute(statement).rowcount
