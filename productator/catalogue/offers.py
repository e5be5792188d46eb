"""Offers: read all of them, write own ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    select,
    update,
)
from sqlalchemy.orm import Session

from productator.catalogue import versions
from productator.catalogue.versions import ANY_VERSION, Expected
from productator.database.json_objects import JsonObject, constant
from productator.database.keyset import (
    Page,
    Position,
    cut_json_page,
    orders,
    page_query,
    page_values,
)
from productator.database.prepared import Prepared, insert_into
from productator.domain import OwnOffer
from productator.errors import OfferIsExternal, OfferNotFound, ProductNotFound
from productator.models import Offer, Refresh
from productator.prices import recording
from productator.prices.changes import Offers, OfferState
from productator.prices.recording import Observation

_OFFERS = cast("Table", Offer.__table__)
_REFRESHES = cast("Table", Refresh.__table__)


class OfferRow(NamedTuple):
    """A stored offer. Its fields are read four times as fast as those of a SQLAlchemy row."""

    id: int
    product_id: int
    # None: an own offer.
    remote_id: str | None
    price: int
    items_in_stock: int
    version: int
    created_at: datetime
    updated_at: datetime


COLUMNS = [_OFFERS.c[name] for name in OfferRow._fields]
# As `OfferJson` of the API describes an offer.
_JSON = JsonObject(
    id=_OFFERS.c.id,
    product_id=_OFFERS.c.product_id,
    source=case((_OFFERS.c.remote_id.is_(None), constant("own")), else_=constant("external")),
    external_id=_OFFERS.c.remote_id,
    price=_OFFERS.c.price,
    currency=bindparam("currency", type_=String()),
    items_in_stock=_OFFERS.c.items_in_stock,
    created_at=_OFFERS.c.created_at,
    updated_at=_OFFERS.c.updated_at,
)
_ONE_OFFER = Prepared(
    select(*COLUMNS).where(Offer.id == bindparam("offer_id"), Offer.product_id == bindparam("product_id"))
)
_OF_PRODUCT = bindparam("of_product", type_=_OFFERS.c.product_id.type)
_LOCK = Prepared(
    update(_REFRESHES)
    .where(_REFRESHES.c.product_id == _OF_PRODUCT)
    .values(own_writes=_REFRESHES.c.own_writes + 1)
)
_STATES = Prepared(
    select(*(_OFFERS.c[name] for name in ("id", *OfferState._fields))).where(
        _OFFERS.c.product_id == _OF_PRODUCT
    )
)
_INSERT = insert_into(_OFFERS, "product_id", "price", "items_in_stock", "version", "created_at", "updated_at")
_CHANGED = ("price", "items_in_stock", "version", "updated_at")
_UPDATE = Prepared(
    update(_OFFERS).where(versions.as_read(_OFFERS)).values({name: bindparam(name) for name in _CHANGED})
)
_DELETE = Prepared(delete(_OFFERS).where(versions.as_read(_OFFERS)))

ORDERS = orders(Offer.id, id=Offer.id, price=Offer.price)


@dataclass(frozen=True)
class Filter:
    in_stock: bool | None = None
    min_price: int | None = None
    max_price: int | None = None

    @property
    def shape(self) -> "Filter":
        """Equal for all filters that differ in their prices only: they share one statement."""
        return Filter(
            self.in_stock, None if self.min_price is None else 0, None if self.max_price is None else 0
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions, whose parameters `values` gives."""
        conditions = []
        if self.in_stock is not None:
            conditions.append(Offer.items_in_stock > 0 if self.in_stock else Offer.items_in_stock == 0)
        if self.min_price is not None:
            conditions.append(Offer.price >= bindparam("min_price"))
        if self.max_price is not None:
            conditions.append(Offer.price <= bindparam("max_price"))
        return conditions

    @property
    def values(self) -> dict[str, int | None]:
        return {"min_price": self.min_price, "max_price": self.max_price}


@dataclass(frozen=True)
class ProductOffers:
    refreshed_at: datetime | None
    # Each offer as JSON.
    page: Page[str]


def page_of_product(
    connection: Connection,
    product_id: int,
    wanted: Filter,
    *,
    currency: str | None,
    sort: str,
    limit: int,
    position: Position | None,
) -> ProductOffers:
    """A page of a product's offers, and when all of them were last refreshed."""
    order = ORDERS[sort]
    values = {"product_id": product_id, "currency": currency}
    values |= wanted.values | page_values(order, limit=limit, position=position)
    is_first = position is None
    rows = _page_of_product(wanted.shape, sort, is_first=is_first).rows(connection, values)
    if not rows:
        may_be_empty = _page_of_product(wanted.shape, sort, is_first=is_first, may_be_empty=True)
        rows = may_be_empty.rows(connection, values)
    if not rows:
        raise ProductNotFound(product_id)
    # A product without such offers has one row, whose offer is null.
    found = [offer for _, offer in rows if offer is not None]
    return ProductOffers(rows[0][0], cut_json_page(found, order, limit=limit))


@cache
def _page_of_product(shape: Filter, sort: str, *, is_first: bool, may_be_empty: bool = False) -> Prepared:
    # One statement reads the offers and the time of their refresh together. Servers sort all offers if the
    # join may find none. So such a join runs only after the other one has found nothing.
    order = ORDERS[sort]
    conditions = [Offer.product_id == Refresh.product_id, *shape.conditions()]
    if not is_first:
        conditions.append(order.behind())
    columns: tuple[Any, ...] = (Refresh.refreshed_at, _JSON)
    query = (
        select(*columns)
        .join(Offer, and_(*conditions), isouter=may_be_empty)
        .where(Refresh.product_id == bindparam("product_id"))
    )
    return Prepared(page_query(query, order, is_first=True))


def page(
    connection: Connection,
    wanted: Filter,
    *,
    product_id: int | None,
    currency: str | None,
    sort: str,
    limit: int,
    position: Position | None,
) -> Page[str]:
    """A page of the offers of all products, or of one, each as JSON."""
    order = ORDERS[sort]
    values = {"product_id": product_id, "currency": currency}
    values |= wanted.values | page_values(order, limit=limit, position=position)
    read = _page_of_all(wanted.shape, sort, is_of_one=product_id is not None, is_first=position is None)
    return cut_json_page([offer for (offer,) in read.rows(connection, values)], order, limit=limit)


@cache
def _page_of_all(shape: Filter, sort: str, *, is_of_one: bool, is_first: bool) -> Prepared:
    conditions = shape.conditions()
    if is_of_one:
        conditions.append(Offer.product_id == bindparam("product_id"))
    return Prepared(page_query(select(_JSON).where(*conditions), ORDERS[sort], is_first=is_first))


def get(connection: Connection, product_id: int, offer_id: int) -> OfferRow:
    rows = _ONE_OFFER.rows(connection, {"offer_id": offer_id, "product_id": product_id})
    if not rows:
        raise OfferNotFound(product_id, offer_id)
    return OfferRow._make(rows[0])


def create(session: Session, product_id: int, new: OwnOffer, *, now: datetime) -> OfferRow:
    before = _lock_offers(session, product_id)
    if before is None:
        raise ProductNotFound(product_id)
    values = {
        "product_id": product_id,
        "price": new.price,
        "items_in_stock": new.items_in_stock,
        "version": 1,
    }
    times = {"created_at": now, "updated_at": now}
    offer_id = _INSERT.run(session.connection(), values | times).last_id
    offer = OfferRow(offer_id, product_id, None, new.price, new.items_in_stock, 1, now, now)
    after = {**before, offer_id: _state(offer)}
    recording.record(session, [Observation(product_id, now, before, after)])
    return offer


def change(
    session: Session,
    product_id: int,
    offer_id: int,
    changes: Mapping[str, int],
    *,
    expected: Expected = ANY_VERSION,
    now: datetime,
) -> OfferRow:
    """Sets the named fields of an own offer. If none differs, version and time stay as they are."""
    before = _lock_offers(session, product_id) or {}
    offer = _own_offer(session, product_id, offer_id, expected)
    price, items = changes.get("price", offer.price), changes.get("items_in_stock", offer.items_in_stock)
    changed = offer._replace(price=price, items_in_stock=items)
    if changed == offer:
        return offer
    changed = changed._replace(version=offer.version + 1, updated_at=now)
    values = {name: getattr(changed, name) for name in _CHANGED}
    written = _UPDATE.run(session.connection(), values | versions.parameters_as_read(offer))
    versions.require_one(written)
    after = {**before, offer_id: _state(changed)}
    recording.record(session, [Observation(product_id, now, before, after)])
    return changed


def remove(
    session: Session, product_id: int, offer_id: int, *, expected: Expected = ANY_VERSION, now: datetime
) -> None:
    before = _lock_offers(session, product_id) or {}
    offer = _own_offer(session, product_id, offer_id, expected)
    versions.require_one(_DELETE.run(session.connection(), versions.parameters_as_read(offer)))
    after = {each: state for each, state in before.items() if each != offer_id}
    recording.record(session, [Observation(product_id, now, before, after)])


def _lock_offers(session: Session, product_id: int) -> Offers | None:
    """The product's offers, which nobody else changes until the commit; None: there is no such product."""
    # The refresher locks and writes this row, too. The same order everywhere prevents deadlocks, and a
    # cluster refuses one of two commits that wrote the row on different nodes.
    connection, of_product = session.connection(), {"of_product": product_id}
    if not _LOCK.run(connection, of_product).rows:
        return None
    rows = _STATES.rows(connection, of_product)
    return {offer_id: OfferState._make(state) for offer_id, *state in rows}


def _state(offer: OfferRow) -> OfferState:
    return OfferState(offer.remote_id, offer.price, offer.items_in_stock)


def _own_offer(session: Session, product_id: int, offer_id: int, expected: Expected) -> OfferRow:
    offer = get(session.connection(), product_id, offer_id)
    if offer.remote_id is not None:
        raise OfferIsExternal(offer_id)
    versions.check(offer, expected)
    return offer
