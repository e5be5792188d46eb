"""Which products are ours for the next minute: leases, taken and given back."""

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
from refresher.leases.row_locks import told_apart

_REFRESHES = cast("Table", Refresh.__table__)
_PRODUCTS = cast("Table", Product.__table__)
# One in so many claims is for a new product even when all others are late.
_SHARE_OF_NEW = 4
# Of so many that wait the one that was served last is taken, where one is to be that shows how things are.
_LOOKED_AT = 50
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
    # When others may take the product, by the monotonic clock.
    lapses_at: float = field(default=math.inf, compare=False)


@dataclass(frozen=True)
class Wanted:
    """Which products to take."""

    limit: int
    due_by: datetime
    # Rather one that was served lately than the one that waits for longest: it shows whether others would be.
    served_lately: bool = False
    # Not these.
    avoiding: Set[int] = frozenset()


class Claiming:
    """Takes up to so many products that were due, longest-waiting first.

    A transaction's work, which may be run again as a whole. Two workers never hold one product: the UPDATE
    repeats the condition, and who comes second finds it false.
    """

    def __init__(self, wanted: Wanted, *, now: datetime, lease: timedelta) -> None:
        self._wanted = wanted
        self._due_at = now + lease
        self._lapses_at = time.monotonic() + lease.total_seconds()
        self._token = uuid4().hex
        # What it has tried to take, and when that was due.
        self.tried: dict[int, datetime] = {}

    def __call__(self, session: Session) -> list[Claim]:
        """Raises RowsLocked."""
        connection = session.connection()
        # Run again after a commit whose answer was lost, it holds them already.
        held = self._held(connection) if self.tried else []
        if held:
            return held
        find = _served_lately if self._wanted.served_lately else _due
        self.tried = find(connection, self._wanted)
        if not self.tried:
            return []
        with told_apart():
            connection.execute(
                update(_REFRESHES)
                .where(
                    _REFRESHES.c.product_id.in_(sorted(self.tried)),
                    _REFRESHES.c.due_at <= self._wanted.due_by,
                )
                # Whatever was asked for so far is done by this refresh.
                .values(claim_token=self._token, due_at=self._due_at, due_again=False)
            )
        return self._held(connection)

    def _held(self, connection: Connection) -> list[Claim]:
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


def _due(connection: Connection, wanted: Wanted) -> dict[int, datetime]:
    """Registered products first, so that ten thousand new ones do not hold them up.

    New ones get what those leave, but at least a share: they must not starve when there is too much to do.
    """
    limit = wanted.limit
    known = _longest_waiting(connection, limit, wanted, pending=False)
    new = _longest_waiting(connection, max(limit - len(known), limit // _SHARE_OF_NEW), wanted, pending=True)
    return dict(known[: limit - len(new)] + new)


def _longest_waiting(
    connection: Connection, limit: int, wanted: Wanted, *, pending: bool
) -> list[tuple[int, datetime]]:
    if not limit:
        return []
    query = (
        select(_REFRESHES.c.product_id, _REFRESHES.c.due_at)
        .where(_REFRESHES.c.pending == pending, _REFRESHES.c.due_at <= wanted.due_by)
        .order_by(_REFRESHES.c.due_at, _REFRESHES.c.product_id)
        .limit(limit + len(wanted.avoiding))
    )
    found = [(product_id, due_at) for product_id, due_at in connection.execute(query)]
    return [each for each in found if each[0] not in wanted.avoiding][:limit]


def _served_lately(connection: Connection, wanted: Wanted) -> dict[int, datetime]:
    """Of the longest-waiting ones the one that was served last."""
    waiting = _due(connection, replace(wanted, limit=_LOOKED_AT))
    query = (
        select(_REFRESHES.c.product_id)
        .where(_REFRESHES.c.product_id.in_(sorted(waiting)))
        .order_by(_REFRESHES.c.refreshed_at.desc(), _REFRESHES.c.product_id)
        .limit(wanted.limit)
    )
    chosen = connection.scalars(query).all() if waiting else []
    return {product_id: waiting[product_id] for product_id in chosen}


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
