"""The history is true, however refreshes and writes of own offers follow each other or coincide."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from productator.catalogue import offers as own_offers
from productator.database.transactions import run_transaction
from productator.domain import ChangeKind, OfferData, OwnOffer, utc_now
from productator.models import Offer, OfferChange, PricePoint
from productator.prices.changes import Aggregate, OfferState, aggregate, events
from refresher.storing import batch
from tests.refresher.builders import policy, result
from tests.refresher.rows import Sessions, claimed, set_refresh, stored_products

State = dict[int, OfferState]
SMALL = st.integers(0, 3)
FOUND = st.dictionaries(st.sampled_from("abc"), st.tuples(SMALL, SMALL))
# What the refresher finds; or which own offer gets these values, or is removed (None).
WRITES = st.lists(FOUND | st.tuples(st.integers(0, 2), st.none() | st.tuples(SMALL, SMALL)), max_size=12)


def refresh(sessions: Sessions, product_id: int, found: dict[str, tuple[int, int]]) -> None:
    now = utc_now()
    set_refresh(sessions, product_id, due_at=now)
    offers = [OfferData(key, price, items) for key, (price, items) in found.items()]
    results = [result(claim, *offers) for claim in claimed(sessions, now=now)]
    run_transaction(sessions, partial(batch.store, results=results, policy=policy(), now=utc_now()))


def write_own(session: Session, product_id: int, which: int, values: tuple[int, int] | None) -> None:
    """Changes or removes an own offer, or makes one where there are not so many."""
    own = session.scalars(
        select(Offer.id).where(Offer.product_id == product_id, Offer.remote_id.is_(None)).order_by(Offer.id)
    ).all()
    if which >= len(own):
        own_offers.create(session, product_id, OwnOffer(*(values or (1, 1))), now=utc_now())
    elif values is None:
        own_offers.remove(session, product_id, own[which], now=utc_now())
    else:
        changes = {"price": values[0], "items_in_stock": values[1]}
        own_offers.change(session, product_id, own[which], changes, now=utc_now())


def write(sessions: Sessions, product_id: int, wanted: Any) -> None:
    if isinstance(wanted, dict):
        refresh(sessions, product_id, wanted)
    else:
        run_transaction(sessions, lambda session: write_own(session, product_id, *wanted))


def state(sessions: Sessions, product_id: int) -> State:
    with sessions() as session:
        rows = session.scalars(select(Offer).where(Offer.product_id == product_id))
        return {row.id: OfferState(row.remote_id, row.price, row.items_in_stock) for row in rows}


def recorded(sessions: Sessions, product_id: int) -> list[OfferChange]:
    key = (OfferChange.changed_at, OfferChange.offer_id)
    with sessions() as session:
        query = select(OfferChange).where(OfferChange.product_id == product_id).order_by(*key)
        return list(session.scalars(query))


def points(sessions: Sessions, product_id: int) -> list[PricePoint]:
    with sessions() as session:
        query = select(PricePoint).where(PricePoint.product_id == product_id)
        return list(session.scalars(query.order_by(PricePoint.starts_at)))


def replayed(changes: Sequence[OfferChange]) -> dict[Any, State]:
    """What the offers were from the time of each change on, by the changes alone."""
    now: State = {}
    states: dict[Any, State] = {}
    for each in changes:
        now = {offer_id: state for offer_id, state in now.items() if offer_id != each.offer_id}
        if each.price is not None and each.items_in_stock is not None:
            now[each.offer_id] = OfferState(each.remote_id, each.price, each.items_in_stock)
        states[each.changed_at] = now
    return states


def aggregates(states: dict[Any, State]) -> list[tuple[Any, Aggregate]]:
    """When the aggregate changed, and to what."""
    found = [(None, aggregate([]))]
    for at, each in states.items():
        if aggregate(each.values()) != found[-1][1]:
            found.append((at, aggregate(each.values())))
    return found[1:]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES)
def test_the_history_is_the_models(sessions: Sessions, writes: list[Any]) -> None:
    (product_id,) = stored_products(sessions, 1)
    set_refresh(sessions, product_id, due_at=utc_now())
    expected = []
    for wanted in writes:
        before = state(sessions, product_id)
        write(sessions, product_id, wanted)
        # In one transaction, by offer.
        expected += sorted(events(before, state(sessions, product_id)))
    changes = recorded(sessions, product_id)

    assert [
        (each.offer_id, each.kind, each.remote_id, each.price, each.items_in_stock) for each in changes
    ] == expected
    assert [(each.starts_at, values(each)) for each in points(sessions, product_id)] == aggregates(
        replayed(changes)
    )


def values(point: PricePoint) -> Aggregate:
    return Aggregate(*(getattr(point, name) for name in Aggregate._fields))


def test_simultaneous_writes_are_recorded_in_one_order(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    own = [(which, (price, price % 3)) for price in range(10) for which in (0, 1)]
    found = [{"a": (price, 1), "b": (1, price % 2)} for price in range(10)]
    with ThreadPoolExecutor(5) as threads:
        list(threads.map(partial(write, sessions, product_id), [*own, *found, *own, *found]))
    changes = recorded(sessions, product_id)
    states = replayed(changes)

    assert list(states.values())[-1] == state(sessions, product_id)
    assert [(each.starts_at, values(each)) for each in points(sessions, product_id)] == aggregates(states)
    assert all(follows(changes, index) for index in range(len(changes)))


def follows(changes: Sequence[OfferChange], index: int) -> bool:
    """Whether a change continues its offer's life: it appears once, then changes, and is removed at last."""
    earlier = [each.kind for each in changes[:index] if each.offer_id == changes[index].offer_id]
    is_first = changes[index].kind == ChangeKind.APPEARED
    return is_first == (not earlier) and ChangeKind.REMOVED not in earlier
