"""The transaction that stores a batch: offers, registrations, failures and due times, and the end of claims.

`storing/due_policy.py` decides when a product is due next. `storing/fallback.py` runs the transaction, and
stores products one by one if it fails.
"""

from collections import defaultdict
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from productator.database.bulk import update_each
from productator.database.number_lists import in_list
from productator.models import Product, Refresh
from productator.models.product import LAST_ERROR_LENGTH
from productator.offers_service import offer_list
from productator.prices import recording
from productator.prices.recording import Observation
from refresher.fetching.journey import FetchResult
from refresher.leases import schedule
from refresher.metrics import StoreResult
from refresher.storing import offers
from refresher.storing.due_policy import DuePolicy
from refresher.storing.reconcile import reconcile

_REFRESHES = cast("Table", Refresh.__table__)
_PRODUCTS = cast("Table", Product.__table__)

_LOCK = (
    select(_REFRESHES.c.product_id, _REFRESHES.c.claim_token, _REFRESHES.c.due_again)
    .where(in_list(_REFRESHES.c.product_id, "product_ids"))
    # In a fixed order, so that two workers wait for each other instead of deadlocking.
    .order_by(_REFRESHES.c.product_id)
    .with_for_update()
)
# It sets the columns whose values are among the parameters.
_SET = update(_REFRESHES).where(in_list(_REFRESHES.c.product_id, "product_ids"))


def store(
    session: Session, results: Sequence[FetchResult], policy: DuePolicy, *, now: datetime
) -> StoreResult:
    """Stores the results of claims that are still ours; writes nothing for the others."""
    ours, due_again = _lock_claims(session, results)
    late_s = max(((now - result.claim.slot).total_seconds() for result in ours), default=0.0)
    errors = [(result.claim.product_id, _note(result) or "") for result in ours if result.error]
    incomplete = [(result.claim.product_id, _note(result) or "") for result in ours if result.refused]
    stored = StoreResult(
        refreshed=len(ours) - len(errors),
        failed=len(errors),
        lost=len(results) - len(ours),
        errors=errors,
        refused_offers=sum(len(result.refused) for result in ours),
        incomplete=incomplete,
        late_s=late_s,
    )
    _store_offers(session, ours, stored, now=now)
    _store_registrations(session, ours, stored, now=now)
    _store_due_times(session, ours, due_again, policy, now=now)
    return stored


def _lock_claims(
    session: Session, results: Sequence[FetchResult]
) -> tuple[list[FetchResult], Container[int]]:
    """The results whose claims are still ours, by product; their rows stay locked until the commit.

    And the products for which another refresh was asked for meanwhile.
    """
    product_ids = [result.claim.product_id for result in results]
    rows = session.connection().execute(_LOCK, {"product_ids": product_ids}).all()
    tokens = {product_id: token for product_id, token, _ in rows}
    ours = [result for result in results if tokens.get(result.claim.product_id) == result.claim.token]
    due_again = {product_id for product_id, _, is_due_again in rows if is_due_again}
    return sorted(ours, key=lambda result: result.claim.product_id), due_again


def _store_offers(
    session: Session, ours: Sequence[FetchResult], stored: StoreResult, *, now: datetime
) -> None:
    # A result without offers is a failure, or the answer was the last one again: there is nothing to compare.
    results = [result for result in ours if result.offers is not None]
    if not results:
        return
    before = offers.stored(session, [result.claim.product_id for result in results])
    found = {
        result.claim.product_id: reconcile(
            offers.external(before[result.claim.product_id]),
            result.offers or [],
            refused={each.id for each in result.refused},
        )
        for result in results
    }
    changes = {product_id: each for product_id, each in found.items() if each}
    if changes:
        at = {result.claim.product_id: result.read_at or now for result in results}
        offers.apply(session, before, changes, at)
        after = offers.after(session, before, changes)
        recording.record(
            session, [Observation(each, at[each], before[each], after[each]) for each in changes]
        )
    _store_digests(session, results, changes)
    stored.added = sum(len(each.added) for each in changes.values())
    stored.changed = sum(len(each.changed) for each in changes.values())
    stored.removed = sum(len(each.removed) for each in changes.values())


def _store_digests(session: Session, results: Sequence[FetchResult], changed: Container[int]) -> None:
    """Only of new or changed offers: the same offers in other bytes cost no write."""
    rows = [
        (result.claim.product_id, result.answer_digest)
        for result in results
        if result.claim.product_id in changed or (result.answer_digest and not result.claim.answer_digest)
    ]
    update_each(session.connection(), _REFRESHES, ("product_id", "answer_digest"), rows)


def _store_registrations(
    session: Session, ours: Sequence[FetchResult], stored: StoreResult, *, now: datetime
) -> None:
    unknown = [result.claim.product_id for result in ours if result.is_product_unknown]
    registered = [
        result.claim.product_id
        for result in ours
        if result.newly_registered and not result.is_product_unknown
    ]
    stored.registered = len(registered)
    for product_ids, registered_at in ((registered, now), (unknown, None)):
        if product_ids:
            session.execute(
                update(_PRODUCTS).where(_PRODUCTS.c.id.in_(product_ids)).values(registered_at=registered_at)
            )


class _NextRefresh(NamedTuple):
    """What the row of a product says of its next refresh; many products share it."""

    due_at: datetime
    failures: int
    last_error: str | None
    is_refreshed: bool
    pending: bool | None  # None: as it was
    is_due_again: bool

    def values(self, refreshed_at: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {
            "claim_token": None,
            "due_at": self.due_at,
            "failures": self.failures,
            "last_error": self.last_error,
        }
        if self.pending is not None:
            values["pending"] = self.pending
        if self.is_refreshed:
            values["refreshed_at"] = refreshed_at
        if self.is_due_again:
            # The refresh that was asked for comes next; without a digest it compares the offers.
            values |= {"due_again": False, "answer_digest": None}
        return values


def _store_due_times(
    session: Session,
    ours: Sequence[FetchResult],
    due_again: Container[int],
    policy: DuePolicy,
    *,
    now: datetime,
) -> None:
    """One statement for all products with the same due time; due times lie on a grid, so these are few."""
    together: dict[_NextRefresh, list[FetchResult]] = defaultdict(list)
    for result in ours:
        is_due_again = result.claim.product_id in due_again
        together[_next_refresh(result, policy, is_due_again=is_due_again, now=now)].append(result)
    for next_refresh, results in together.items():
        # They were read within a fraction of a second of each other; none counts as younger than it is.
        values = next_refresh.values(min(result.read_at or now for result in results))
        product_ids = [result.claim.product_id for result in results]
        session.connection().execute(_SET, {"product_ids": product_ids, **values})


def _next_refresh(
    result: FetchResult, policy: DuePolicy, *, is_due_again: bool, now: datetime
) -> _NextRefresh:
    due_at, failures = policy.next_due(result, now=now)
    return _NextRefresh(
        schedule.on_grid(now) if is_due_again else due_at,
        failures,
        _note(result),
        result.error is None,
        True if result.is_product_unknown else False if result.newly_registered else None,
        is_due_again,
    )


def _note(result: FetchResult) -> str | None:
    """What `last_error` says: why it failed, or which of its offers were refused."""
    if result.error is not None:
        return str(result.error)[:LAST_ERROR_LENGTH]
    return offer_list.summary(result.refused)[:LAST_ERROR_LENGTH] if result.refused else None
