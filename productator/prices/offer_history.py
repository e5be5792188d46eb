"""Reads the recorded changes of offers, oldest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select
from sqlalchemy.orm import aliased

from productator.catalogue import products
from productator.database.keyset import Order, Page, Position, read_page
from productator.domain import ChangeKind
from productator.errors import OfferNotFound
from productator.models import Offer, OfferChange

_ROWS_A_READ = 1_000
ORDER = Order(OfferChange.changed_at, OfferChange.offer_id)


class RecordedChange(NamedTuple):
    """What an offer became, and when; price and stock are None when it was removed."""

    product_id: int
    offer_id: int
    # None: an own offer.
    remote_id: str | None
    kind: ChangeKind
    price: int | None
    items_in_stock: int | None
    changed_at: datetime


_ALL = select(*(getattr(OfferChange, name) for name in RecordedChange._fields))


@dataclass(frozen=True)
class Span:
    """The time [since, until); None: without that bound."""

    since: datetime | None = None
    until: datetime | None = None

    def bound(self, query: Select[Any]) -> Select[Any]:
        if self.since is not None:
            query = query.where(OfferChange.changed_at >= self.since)
        if self.until is not None:
            query = query.where(OfferChange.changed_at < self.until)
        return query


def of_product(
    connection: Connection, product_id: int, span: Span, *, limit: int, position: Position | None = None
) -> Page[RecordedChange]:
    """Changes of all the product's offers, removed ones included."""
    query = span.bound(_ALL.where(OfferChange.product_id == product_id))
    page = read_page(connection, query, ORDER, limit=limit, position=position)
    if not page.rows:
        # Raises ProductNotFound.
        products.get(connection, product_id)
    return page.map(_change)


def of_offer(
    connection: Connection,
    product_id: int,
    offer_id: int,
    span: Span,
    *,
    limit: int,
    position: Position | None = None,
) -> Page[RecordedChange]:
    """Changes of one offer, which may have been removed; raises OfferNotFound if there never was one."""
    changes = _ALL.where(OfferChange.product_id == product_id, OfferChange.offer_id == offer_id)
    page = read_page(connection, span.bound(changes), ORDER, limit=limit, position=position)
    if not page.rows and connection.execute(changes.limit(1)).one_or_none() is None:
        # The offer may be there without a change: old changes are deleted.
        offer = select(Offer.id).where(Offer.product_id == product_id, Offer.id == offer_id)
        if connection.scalar(offer) is None:
            raise OfferNotFound(product_id, offer_id)
    return page.map(_change)


def every(connection: Connection, product_id: int, span: Span) -> Iterator[RecordedChange]:
    """All changes of the product's offers, read in pages while the connection is open."""
    position: Position | None = None
    while True:
        page = of_product(connection, product_id, span, limit=_ROWS_A_READ, position=position)
        yield from page.rows
        position = page.position
        if position is None:
            return


class LatestChange(NamedTuple):
    """A change, and price and stock of the offer before; None: it was not there, or is not known."""

    change: RecordedChange
    price_before: int | None
    items_before: int | None


def latest(
    connection: Connection, product_id: int, *, limit: int, kind: ChangeKind | None = None
) -> list[LatestChange]:
    """The product's last changes, or those of one kind, newest first."""
    before = aliased(OfferChange)
    earlier = (
        before.product_id == OfferChange.product_id,
        before.offer_id == OfferChange.offer_id,
        before.changed_at < OfferChange.changed_at,
    )
    price, items = (
        select(column).where(*earlier).order_by(before.changed_at.desc()).limit(1).scalar_subquery()
        for column in (before.price, before.items_in_stock)
    )
    query = _ALL.add_columns(price, items).where(OfferChange.product_id == product_id)
    if kind is not None:
        query = query.where(OfferChange.kind == kind)
    newest = (OfferChange.changed_at.desc(), OfferChange.offer_id.desc())
    rows = connection.execute(query.order_by(*newest).limit(limit))
    return [LatestChange(_change(change), price, items) for *change, price, items in rows]


def _change(row: Sequence[Any]) -> RecordedChange:
    product_id, offer_id, remote_id, kind, price, items_in_stock, changed_at = row
    return RecordedChange(
        product_id, offer_id, remote_id, ChangeKind(kind), price, items_in_stock, changed_at
    )
