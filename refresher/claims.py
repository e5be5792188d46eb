"""Which products are ours for the next minute: leases, taken and given back."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from productator.models import Product, Refresh


@dataclass(frozen=True, slots=True)
class Claim:
    """A product that this worker holds until its lease ends."""

    product_id: int
    token: str
    # When it was due: its place in the rhythm.
    slot: datetime
    failures: int
    remote_id: str
    # What to register the product with; None: it is registered.
    draft: tuple[str, str] | None


def claim_due(
    session: Session, *, limit: int, due_by: datetime, now: datetime, lease: timedelta
) -> list[Claim]:
    """Takes up to `limit` products that were due, longest-waiting first.

    Two workers never hold one product: the UPDATE repeats the condition, and who comes second finds it false.
    """
    due = dict(
        session.execute(
            select(Refresh.product_id, Refresh.due_at)
            .where(Refresh.due_at <= due_by)
            .order_by(Refresh.due_at, Refresh.product_id)
            .limit(limit)
        ).all()
    )
    if not due:
        return []
    token = uuid4().hex
    session.execute(
        update(Refresh)
        .where(Refresh.product_id.in_(sorted(due)), Refresh.due_at <= due_by)
        .values(claim_token=token, due_at=now + lease)
        .execution_options(synchronize_session=False)
    )
    return _held(session, token, due)


def _held(session: Session, token: str, due: dict[int, datetime]) -> list[Claim]:
    columns = (
        Refresh.product_id,
        Refresh.failures,
        Product.remote_id,
        Product.registered_at,
        Product.name,
        Product.description,
    )
    query = (
        select(*columns)
        .join(Product, Product.id == Refresh.product_id)
        .where(Refresh.product_id.in_(sorted(due)), Refresh.claim_token == token)
    )
    return [
        Claim(
            product_id=row.product_id,
            token=token,
            slot=due[row.product_id],
            failures=row.failures,
            remote_id=row.remote_id,
            draft=None if row.registered_at else (row.name, row.description),
        )
        for row in session.execute(query)
    ]


def give_back(session: Session, claims: Sequence[Claim]) -> None:
    """Makes products that were claimed but not served due again as they were."""
    together = defaultdict(list)
    for claim in claims:
        together[claim.token, claim.slot].append(claim.product_id)
    for (token, slot), product_ids in together.items():
        session.execute(
            update(Refresh)
            .where(Refresh.product_id.in_(sorted(product_ids)), Refresh.claim_token == token)
            .values(claim_token=None, due_at=slot)
            .execution_options(synchronize_session=False)
        )
