"""Offers in bulk: reads those of many products, and applies their changes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Table, delete, func, literal_column, select, true
from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows, slices, update_each
from productator.database.column_types import CommaJoined
from productator.database.number_lists import in_list
from productator.domain import OfferData
from productator.models import Offer
from productator.prices.changes import Offers, OfferState
from refresher.storing.reconcile import OfferChanges

_OFFERS = cast("Table", Offer.__table__)
_ROWS_A_STATEMENT = 1_000

Changes = Mapping[int, OfferChanges]
# When the offers of a product were read.
Times = Mapping[int, datetime]
# The ids of a product's offers by their ids at the Offers service.
Ids = Mapping[int, Mapping[str | None, int]]

_OF_ONE = (_OFFERS.c.id, _OFFERS.c.remote_id, _OFFERS.c.price, _OFFERS.c.items_in_stock)
# All of a product's offers in one text, which takes a fifth of the time that rows take. The last value ends
# an offer: without it a number that was cut would look complete.
_AS_JSON: tuple[ColumnElement[Any], ...] = (
    _OFFERS.c.id,
    func.json_quote(_OFFERS.c.remote_id),
    *_OF_ONE[2:],
    literal_column("0"),
)
_TOGETHER = (
    select(_OFFERS.c.product_id, func.count(), CommaJoined(true(), *_AS_JSON))
    .where(in_list(_OFFERS.c.product_id, "product_ids"))
    .group_by(_OFFERS.c.product_id)
)


def stored(session: Session, product_ids: Sequence[int]) -> Mapping[int, Offers]:
    """All offers of the products, own offers included."""
    connection = session.connection()
    found: dict[int, Offers] = {product_id: {} for product_id in product_ids}
    for product_id, count, text in connection.execute(_TOGETHER, {"product_ids": product_ids}):
        offers = _parsed(text, count)
        found[product_id] = _in_rows(connection, product_id) if offers is None else offers
    return found


def _parsed(text: str, count: int) -> Offers | None:
    """None: the text is not complete. Servers cut long texts."""
    try:
        values = json.loads(f"[{text}]")
    except ValueError:
        return None
    width = len(_AS_JSON)
    if len(values) != width * count:
        return None
    ids, remote_ids, prices, items, _ = (values[place::width] for place in range(width))
    return dict(zip(ids, map(OfferState, remote_ids, prices, items), strict=True))


def _in_rows(connection: Connection, product_id: int) -> Offers:
    rows = connection.execute(select(*_OF_ONE).where(_OFFERS.c.product_id == product_id))
    return {offer_id: OfferState(*state) for offer_id, *state in rows}


def external(offers: Offers) -> list[OfferData]:
    """The offers that come from the Offers service; the refresher leaves own offers alone."""
    return [
        OfferData(state.remote_id, state.price, state.items_in_stock)
        for state in offers.values()
        if state.remote_id is not None
    ]


def apply(session: Session, before: Mapping[int, Offers], changes: Changes, at: Times) -> None:
    """The caller has locked the products, so `before` is the content of the table."""
    # By their ids at the Offers service; the entry of own offers (None) is not used.
    ids = {
        product_id: {state.remote_id: offer_id for offer_id, state in before[product_id].items()}
        for product_id in changes
    }
    _remove(session, changes, ids)
    _change(session, changes, ids, at)
    _add(session, changes, at)


def after(session: Session, before: Mapping[int, Offers], changes: Changes) -> Mapping[int, Offers]:
    """The offers after the changes; read again where some are new, because the database chose their ids."""
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


def _remove(session: Session, changes: Changes, ids: Ids) -> None:
    gone = [ids[product_id][each] for product_id, of_one in changes.items() for each in of_one.removed]
    for some in slices(sorted(gone), _ROWS_A_STATEMENT):
        session.connection().execute(delete(_OFFERS).where(_OFFERS.c.id.in_(some)))


def _change(session: Session, changes: Changes, ids: Ids, at: Times) -> None:
    rows = [
        (ids[product_id][offer.id], offer.price, offer.items_in_stock, at[product_id])
        for product_id, each in changes.items()
        for offer in each.changed
    ]
    columns = ("id", "price", "items_in_stock", "updated_at")
    update_each(session.connection(), _OFFERS, columns, sorted(rows), counting="version")


def _add(session: Session, changes: Changes, at: Times) -> None:
    columns = ("product_id", "remote_id", "price", "items_in_stock", "version", "created_at", "updated_at")
    rows = [
        (product_id, *offer, 1, at[product_id], at[product_id])
        for product_id, each in changes.items()
        for offer in each.added
    ]
    insert_rows(session.connection(), _OFFERS, columns, rows)
