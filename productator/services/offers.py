"""Offers: reading all of them, writing those that are our own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from productator.domain import OwnOffer
from productator.errors import OfferIsExternal, OfferNotFound, ProductNotFound
from productator.models import Offer, Product, Refresh
from productator.services.paging import Order, Page, Position, read_page

_OFFERS = Offer.__table__

ORDERS = {
    "id": Order(Offer.id, Offer.id),
    "price": Order(Offer.price, Offer.id),
    "-price": Order(Offer.price, Offer.id, descending=True),
}


@dataclass(frozen=True)
class Filter:
    in_stock: bool | None = None
    min_price: int | None = None
    max_price: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions = []
        if self.in_stock is not None:
            conditions.append(Offer.items_in_stock > 0 if self.in_stock else Offer.items_in_stock == 0)
        if self.min_price is not None:
            conditions.append(Offer.price >= self.min_price)
        if self.max_price is not None:
            conditions.append(Offer.price <= self.max_price)
        return conditions


@dataclass(frozen=True)
class ProductOffers:
    refreshed_at: datetime | None
    rows: Sequence[Row[Any]]


def of_product(connection: Connection, product_id: int, wanted: Filter, *, sort: str) -> ProductOffers:
    """All offers of a product that pass the filter."""
    # One statement, so that the offers and the time of their refresh belong together.
    query = (
        select(Refresh.refreshed_at, *_OFFERS.c)
        .select_from(Product)
        .join(Refresh, Refresh.product_id == Product.id)
        .outerjoin(Offer, and_(Offer.product_id == Product.id, *wanted.conditions()))
        .where(Product.id == product_id)
        .order_by(*ORDERS[sort].clauses())
    )
    rows = connection.execute(query).all()
    if not rows:
        raise ProductNotFound(product_id)
    return ProductOffers(rows[0].refreshed_at, [row for row in rows if row.id is not None])


def page(
    connection: Connection,
    wanted: Filter,
    *,
    product_id: int | None,
    sort: str,
    limit: int,
    position: Position | None,
) -> Page:
    """Offers of all products, or of one."""
    query = select(_OFFERS).where(*wanted.conditions())
    if product_id is not None:
        query = query.where(Offer.product_id == product_id)
    return read_page(connection, query, ORDERS[sort], limit=limit, position=position)


def get(connection: Connection, product_id: int, offer_id: int) -> Row[Any]:
    query = select(_OFFERS).where(Offer.id == offer_id, Offer.product_id == product_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise OfferNotFound(product_id, offer_id)
    return row


def create(session: Session, product_id: int, data: OwnOffer, *, now: datetime) -> Offer:
    offer = Offer(
        product_id=product_id,
        price=data.price,
        items_in_stock=data.items_in_stock,
        created_at=now,
        updated_at=now,
    )
    session.add(offer)
    try:
        session.flush()
    except IntegrityError as exc:
        # The values were checked before, so it is the foreign key.
        raise ProductNotFound(product_id) from exc
    return offer


def change(
    session: Session, product_id: int, offer_id: int, changes: Mapping[str, int], *, now: datetime
) -> Offer:
    """Sets the named fields of an own offer; a change of nothing leaves version and time as they are."""
    offer = _own_offer(session, product_id, offer_id)
    if any(getattr(offer, field) != value for field, value in changes.items()):
        for field, value in changes.items():
            setattr(offer, field, value)
        offer.version += 1
        offer.updated_at = now
        session.flush()
    return offer


def remove(session: Session, product_id: int, offer_id: int) -> None:
    session.delete(_own_offer(session, product_id, offer_id))
    session.flush()


def _own_offer(session: Session, product_id: int, offer_id: int) -> Offer:
    offer = session.get(Offer, offer_id, with_for_update=True)
    if offer is None or offer.product_id != product_id:
        raise OfferNotFound(product_id, offer_id)
    if offer.remote_id is not None:
        raise OfferIsExternal(offer_id)
    return offer
