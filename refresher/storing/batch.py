"""Reads what is stored and applies what came of a batch of claims, in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from productator.database.bulk import update_each
from productator.models import Product, Refresh
from productator.models.product import LAST_ERROR_LENGTH
from productator.prices import recording
from productator.prices.recording import Observation
from refresher.fetching.journey import Outcome
from refresher.leases import schedule
from refresher.storing import offers
from refresher.storing.reconcile import reconcile

_REFRESHES = cast("Table", Refresh.__table__)
_PRODUCTS = cast("Table", Product.__table__)


@dataclass
class Stored:
    """What a transaction did."""

    refreshed: int = 0
    registered: int = 0
    failed: int = 0
    lost: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    # How long each transaction took.
    batches_s: list[float] = field(default_factory=list)
    # How long after its slot the latest of them was stored.
    late_s: float = 0.0

    def add(self, other: "Stored") -> None:
        late_s = max(self.late_s, other.late_s)
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        self.late_s = late_s


@dataclass(frozen=True)
class Schedule:
    """How the next due time of a product is found."""

    period: timedelta
    jitter: Callable[[float, float], float]
    # The service is in trouble: failures say nothing of the product.
    service_failing: bool = False

    def after(self, outcome: Outcome, *, now: datetime) -> tuple[datetime, int]:
        """The next due time and the count of failures in a row."""
        claim = outcome.claim
        if outcome.error is None:
            return schedule.next_slot(claim.product_id, now=now, period=self.period), 0
        if outcome.is_unknown and not claim.failures:
            return schedule.soon(now), 1
        if self.service_failing:
            return schedule.next_slot(claim.product_id, now=now, period=self.period), claim.failures
        failures = claim.failures + 1
        due_at = schedule.after_failure(
            claim.product_id, failures=failures, now=now, period=self.period, jitter=self.jitter
        )
        return due_at, failures


def store(session: Session, outcomes: Sequence[Outcome], plan: Schedule, *, now: datetime) -> Stored:
    """Applies the outcomes of claims that are still ours; of the others nothing is written."""
    held, again = _lock_held(session, outcomes)
    late_s = max(((now - outcome.claim.slot).total_seconds() for outcome in held), default=0.0)
    done = Stored(lost=len(outcomes) - len(held), late_s=late_s)
    done.errors = [(outcome.claim.product_id, _told(outcome.error)) for outcome in held if outcome.error]
    done.failed = len(done.errors)
    _store_offers(session, held, done, now=now)
    _store_registrations(session, held, done, now=now)
    _store_schedule(session, held, again, plan, now=now)
    return done


def _lock_held(session: Session, outcomes: Sequence[Outcome]) -> tuple[list[Outcome], Container[int]]:
    """The outcomes whose claims still stand, by product; locked, so that they stand until the commit.

    Beside them the products that somebody wants refreshed once more.
    """
    query = (
        select(_REFRESHES.c.product_id, _REFRESHES.c.claim_token, _REFRESHES.c.due_again)
        .where(_REFRESHES.c.product_id.in_(sorted(outcome.claim.product_id for outcome in outcomes)))
        # A fixed order, so that two workers wait for each other instead of deadlocking.
        .order_by(_REFRESHES.c.product_id)
        .with_for_update()
    )
    rows = session.connection().execute(query).all()
    tokens = {product_id: token for product_id, token, _ in rows}
    ours = [outcome for outcome in outcomes if tokens.get(outcome.claim.product_id) == outcome.claim.token]
    again = {product_id for product_id, _, is_due_again in rows if is_due_again}
    return sorted(ours, key=lambda outcome: outcome.claim.product_id), again


def _store_offers(session: Session, held: Sequence[Outcome], done: Stored, *, now: datetime) -> None:
    done.refreshed = sum(outcome.error is None for outcome in held)
    # Where the answer was the last one again, there is nothing to compare.
    outcomes = [outcome for outcome in held if outcome.offers is not None]
    if not outcomes:
        return
    before = offers.stored(session, [outcome.claim.product_id for outcome in outcomes])
    found = {
        outcome.claim.product_id: reconcile(
            offers.external(before[outcome.claim.product_id]), outcome.offers or []
        )
        for outcome in outcomes
    }
    changes = {product_id: each for product_id, each in found.items() if each}
    if changes:
        at = {outcome.claim.product_id: outcome.read_at or now for outcome in outcomes}
        offers.apply(session, before, changes, at)
        after = offers.after(session, before, changes)
        recording.record(
            session, [Observation(each, at[each], before[each], after[each]) for each in changes]
        )
    _store_digests(session, outcomes, changes)
    done.added = sum(len(each.added) for each in changes.values())
    done.changed = sum(len(each.changed) for each in changes.values())
    done.removed = sum(len(each.removed) for each in changes.values())


def _store_digests(session: Session, outcomes: Sequence[Outcome], changed: Container[int]) -> None:
    """Not where other bytes tell the same offers: an unchanged product costs no write."""
    rows = [
        (outcome.claim.product_id, outcome.answer_digest)
        for outcome in outcomes
        if outcome.claim.product_id in changed or outcome.claim.answer_digest is None
    ]
    update_each(session.connection(), _REFRESHES, ("product_id", "answer_digest"), rows)


def _store_registrations(session: Session, held: Sequence[Outcome], done: Stored, *, now: datetime) -> None:
    unknown = [outcome.claim.product_id for outcome in held if outcome.is_unknown]
    registered = [
        outcome.claim.product_id for outcome in held if outcome.newly_registered and not outcome.is_unknown
    ]
    done.registered = len(registered)
    for product_ids, value in ((registered, now), (unknown, None)):
        if product_ids:
            session.execute(
                update(_PRODUCTS).where(_PRODUCTS.c.id.in_(product_ids)).values(registered_at=value)
            )


class _Fate(NamedTuple):
    """What becomes of the rows of some products."""

    due_at: datetime
    failures: int
    error: str | None
    pending: bool | None  # None: as it was
    is_due_again: bool

    def values(self, refreshed_at: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {
            "claim_token": None,
            "due_at": self.due_at,
            "failures": self.failures,
            "last_error": self.error,
        }
        if self.pending is not None:
            values["pending"] = self.pending
        if self.error is None:
            values["refreshed_at"] = refreshed_at
        if self.is_due_again:
            # What was asked for is yet to come, and is to compare the offers whatever this answer told.
            values |= {"due_again": False, "answer_digest": None}
        return values


def _store_schedule(
    session: Session, held: Sequence[Outcome], again: Container[int], plan: Schedule, *, now: datetime
) -> None:
    """Writes the products of one next due time together; slots lie on a grid, so that they are few."""
    together: dict[_Fate, list[Outcome]] = defaultdict(list)
    for outcome in held:
        is_due_again = outcome.claim.product_id in again
        together[_fate(outcome, plan, is_due_again=is_due_again, now=now)].append(outcome)
    for fate, outcomes in together.items():
        # They were read within a fraction of a second; none counts as younger than it is.
        values = fate.values(min(outcome.read_at or now for outcome in outcomes))
        product_ids = [outcome.claim.product_id for outcome in outcomes]
        session.connection().execute(
            update(_REFRESHES).where(_REFRESHES.c.product_id.in_(product_ids)).values(values)
        )


def _fate(outcome: Outcome, plan: Schedule, *, is_due_again: bool, now: datetime) -> _Fate:
    due_at, failures = plan.after(outcome, now=now)
    return _Fate(
        schedule.on_grid(now) if is_due_again else due_at,
        failures,
        _told(outcome.error) if outcome.error else None,
        True if outcome.is_unknown else False if outcome.newly_registered else None,
        is_due_again,
    )


def _told(error: Exception) -> str:
    return str(error)[:LAST_ERROR_LENGTH]


def forgive(session: Session, *, now: datetime, period: timedelta) -> None:
    """After the service's recovery: products that were put off for longer than a period are due now."""
    session.execute(
        update(_REFRESHES)
        # Both lanes are named so that the index is of use.
        .where(_REFRESHES.c.pending.in_([False, True]), _REFRESHES.c.due_at > now + period)
        .where(_REFRESHES.c.failures > 0, _REFRESHES.c.claim_token.is_(None))
        .values(due_at=schedule.on_grid(now))
    )
