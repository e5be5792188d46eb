"""Claims in SQL: a claim is a lease on a product that is due."""

import math
import time
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from sqlalchemy import Connection, Table, and_, case, or_, select, update
from sqlalchemy.orm import Session

from productator.models import Product, Refresh
from refresher.leases import schedule
from refresher.leases.row_locks import raising_rows_locked
from refresher.leases.schedule import Rhythm

_REFRESHES = cast("Table", Refresh.__table__)
_PRODUCTS = cast("Table", Product.__table__)
# One in so many claims is for a new product even when all others are late.
_SHARE_OF_NEW = 4
# A probe of the service takes, of so many products that wait longest, the one that was refreshed last.
_PROBE_CHOICE = 50
# How far the clocks of several refreshers' machines may differ.
_CLOCKS_DIFFER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """A product that this worker alone may refresh until the lease ends."""

    product_id: int
    token: str
    # When it was due: its place in the rhythm.
    slot: datetime
    failures: int
    remote_id: str
    # Of the answer that the stored offers come from; None: unknown.
    answer_digest: str | None
    # The name and description to register the product with; None: it is registered.
    to_register: tuple[str, str] | None
    # When others may claim the product, by the monotonic clock.
    lapses_at: float = field(default=math.inf, compare=False)


@dataclass(frozen=True)
class ClaimRequest:
    """Which products to claim."""

    limit: int
    due_by: datetime
    # A probe of the service: a product that was refreshed lately shows best whether others can be.
    is_probe: bool = False
    # Products to leave out.
    avoiding: Set[int] = frozenset()


class ClaimTransaction:
    """Claims products that are due, longest-waiting first; it may be run again as a whole.

    Two workers never claim one product: the UPDATE repeats the condition, which is false for the second one.
    """

    def __init__(self, request: ClaimRequest, *, now: datetime, lease: timedelta) -> None:
        self._request = request
        self._due_at = now + lease
        self._lapses_at = time.monotonic() + lease.total_seconds()
        self._token = uuid4().hex
        # The products that it has tried to claim, and when each was due.
        self.tried: dict[int, datetime] = {}

    def __call__(self, session: Session) -> list[Claim]:
        """Raises RowsLocked."""
        connection = session.connection()
        # After a commit whose answer was lost, the second run finds the products claimed by the first.
        claims = self._claims(connection) if self.tried else []
        if claims:
            return claims
        find = _for_a_probe if self._request.is_probe else _due
        self.tried = find(connection, self._request)
        if not self.tried:
            return []
        with raising_rows_locked():
            connection.execute(
                update(_REFRESHES)
                .where(
                    _REFRESHES.c.product_id.in_(sorted(self.tried)),
                    _REFRESHES.c.due_at <= self._request.due_by,
                )
                # This refresh does all that was asked for so far.
                .values(claim_token=self._token, due_at=self._due_at, due_again=False)
            )
        return self._claims(connection)

    def _claims(self, connection: Connection) -> list[Claim]:
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
            .where(_REFRESHES.c.product_id.in_(sorted(self.tried)), _REFRESHES.c.claim_token == self._token)
        )
        return [
            Claim(
                product_id,
                self._token,
                self.tried[product_id],
                failures,
                remote_id,
                answer_digest,
                None if name is None else (name, description),
                self._lapses_at,
            )
            for product_id, failures, answer_digest, remote_id, name, description in connection.execute(query)
        ]


def _due(connection: Connection, request: ClaimRequest) -> dict[int, datetime]:
    """Registered products first, so that ten thousand new ones do not delay them.

    New products get the places that are left, and at least a share: they must not starve under overload.
    """
    limit = request.limit
    known = _longest_waiting(connection, limit, request, pending=False)
    new = _longest_waiting(connection, max(limit - len(known), limit // _SHARE_OF_NEW), request, pending=True)
    return dict(known[: limit - len(new)] + new)


def _longest_waiting(
    connection: Connection, limit: int, request: ClaimRequest, *, pending: bool
) -> list[tuple[int, datetime]]:
    if not limit:
        return []
    query = (
        select(_REFRESHES.c.product_id, _REFRESHES.c.due_at)
        .where(_REFRESHES.c.pending == pending, _REFRESHES.c.due_at <= request.due_by)
        .order_by(_REFRESHES.c.due_at, _REFRESHES.c.product_id)
        .limit(limit + len(request.avoiding))
    )
    found = [(product_id, due_at) for product_id, due_at in connection.execute(query)]
    return [each for each in found if each[0] not in request.avoiding][:limit]


def _for_a_probe(connection: Connection, request: ClaimRequest) -> dict[int, datetime]:
    """Of the longest-waiting products the one that was refreshed last."""
    waiting = _due(connection, replace(request, limit=_PROBE_CHOICE))
    query = (
        select(_REFRESHES.c.product_id)
        .where(_REFRESHES.c.product_id.in_(sorted(waiting)))
        .order_by(_REFRESHES.c.refreshed_at.desc(), _REFRESHES.c.product_id)
        .limit(request.limit)
    )
    chosen = connection.scalars(query).all() if waiting else []
    return {product_id: waiting[product_id] for product_id in chosen}


def give_back(session: Session, claims: Sequence[Claim]) -> None:
    """Makes products that were claimed but not fetched due again as they were."""
    together = defaultdict(list)
    for claim in claims:
        together[claim.token, claim.slot].append(claim.product_id)
    for (token, slot), product_ids in together.items():
        session.connection().execute(
            update(_REFRESHES)
            .where(_REFRESHES.c.product_id.in_(sorted(product_ids)), _REFRESHES.c.claim_token == token)
            .values(claim_token=None, due_at=slot)
        )


def make_delayed_products_due(session: Session, *, now: datetime, period: timedelta) -> None:
    """Products that failures have delayed by more than a period are due now: the service is up again."""
    session.execute(
        update(_REFRESHES)
        # Both values of `pending` are named so that the index is used.
        .where(_REFRESHES.c.pending.in_([False, True]), _REFRESHES.c.due_at > now + period)
        .where(_REFRESHES.c.failures > 0, _REFRESHES.c.claim_token.is_(None))
        .values(due_at=schedule.on_grid(now))
    )


def recall_products_due_too_late(session: Session, *, now: datetime, rhythm: Rhythm) -> int:
    """Makes products due now whose due time lies impossibly far ahead; returns how many they were.

    A clock was set back, here or where another refresher runs. The due times lie as far ahead as that clock
    was, and nobody would refresh those products until then.
    """
    longest_pause = schedule.LONGEST_PAUSE + rhythm.lease + rhythm.period
    is_free = and_(_REFRESHES.c.claim_token.is_(None), _REFRESHES.c.failures == 0)
    statement = (
        update(_REFRESHES)
        # Both values of `pending` are named so that the index is used.
        .where(
            _REFRESHES.c.pending.in_([False, True]),
            _REFRESHES.c.due_at > now + rhythm.period + _CLOCKS_DIFFER,
        )
        .where(or_(is_free, _REFRESHES.c.due_at > now + longest_pause))
        .values(due_at=schedule.on_grid(now), claim_token=None)
    )
    return session.connection().execute(statement).rowcount
