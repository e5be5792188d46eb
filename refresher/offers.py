"""Offers in bulk: reading those of many products, and applying what became of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from productator.domain import OfferData
from productator.history import Offers, OfferState
from productator.models import Offer
from refresher.reconcile import OfferChanges

_OFFERS = cast("Table", Offer.__table__)
_ROWS_A_STATEMENT = 1_000

Changes = Mapping[int, OfferChanges]
# When the offers of a product were read.
Times = Mapping[int, datetime]


def stored(session: Session, product_ids: Sequence[int]) -> Mapping[int, Offers]:
    """All offers of the products, own ones included."""
    columns = (
        _OFFERS.c.product_id,
        _OFFERS.c.id,
        _OFFERS.c.remote_id,
        _OFFERS.c.price,
        _OFFERS.c.items_in_stock,
    )
    found: dict[int, dict[int, OfferState]] = {product_id: {} for product_id in product_ids}
    query = select(*columns).where(_OFFERS.c.product_id.in_(product_ids))
    for product_id, offer_id, *state in session.execute(query):
        found[product_id][offer_id] = OfferState._make(state)
    return found


def external(offers: Offers) -> list[OfferData]:
    """Own offers are none of the refresher's business."""
    return [
        OfferData(state.remote_id, state.price, state.items_in_stock)
        for state in offers.values()
        if state.remote_id is not None
    ]


def apply(session: Session, changes: Changes, at: Times) -> None:
    _remove(session, changes)
    _change(session, changes, at)
    _add(session, changes, at)


def after(session: Session, before: Mapping[int, Offers], changes: Changes) -> Mapping[int, Offers]:
    """What the offers have become; read where some are new, since their ids are the database's to give."""
    grown = [product_id for product_id, each in changes.items() if each.added]
    known: dict[int, Offers] = {
        product_id: dict(_applied(before[product_id], each))
        for product_id, each in changes.items()
        if not each.added
    }
    return {**known, **stored(session, grown)} if grown else known


def _applied(before: Offers, changes: OfferChanges) -> Iterator[tuple[int, OfferState]]:
    removed: set[str | None] = set(changes.removed)
    changed: dict[str | None, OfferState] = {
        offer.id: OfferState(offer.id, offer.price, offer.items_in_stock) for offer in changes.changed
    }
    for offer_id, state in before.items():
        if state.remote_id not in removed:
            yield offer_id, changed.get(state.remote_id, state)


def _remove(session: Session, changes: Changes) -> None:
    gone = [(product_id, each.removed) for product_id, each in changes.items() if each.removed]
    for some in _slices(gone, _ROWS_A_STATEMENT // 10):
        per_product = [
            and_(_OFFERS.c.product_id == product_id, _OFFERS.c.remote_id.in_(remote_ids))
            for product_id, remote_ids in some
        ]
        session.execute(delete(_OFFERS).where(or_(*per_product)))


def _change(session: Session, changes: Changes, at: Times) -> None:
    rows = [
        {
            "of_product": product_id,
            "of_remote": offer.id,
            "price": offer.price,
            "items_in_stock": offer.items_in_stock,
            "updated_at": at[product_id],
        }
        for product_id, each in changes.items()
        for offer in each.changed
    ]
    if rows:
        statement = (
            update(_OFFERS)
            .where(
                _OFFERS.c.product_id == bindparam("of_product"), _OFFERS.c.remote_id == bindparam("of_remote")
            )
            .values(
                price=bindparam("price"),
                items_in_stock=bindparam("items_in_stock"),
                version=_OFFERS.c.version + 1,
                updated_at=bindparam("updated_at"),
            )
        )
        session.connection().execute(statement, rows)


def _add(session: Session, changes: Changes, at: Times) -> None:
    rows = [
        {
            "product_id": product_id,
            "remote_id": offer.id,
            "price": offer.price,
            "items_in_stock": offer.items_in_stock,
            "version": 1,
            # As parameters: with a function of SQL the rows would travel one by one.
            "created_at": at[product_id],
            "updated_at": at[product_id],
        }
        for product_id, each in changes.items()
        for offer in each.added
    ]
    for some in _slices(rows, _ROWS_A_STATEMENT):
        session.execute(insert(_OFFERS), some)


def _slices(rows: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
