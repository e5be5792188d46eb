"""The offers of a product as people look at them: the cheapest first, and how many there are."""

from typing import NamedTuple

from sqlalchemy import Connection, case, func, select

from productator.catalogue.offers import COLUMNS, OfferRow
from productator.models import Offer


class OfferCounts(NamedTuple):
    all: int
    in_stock: int


def cheapest(connection: Connection, product_id: int, *, limit: int | None) -> list[OfferRow]:
    """Offers of a product: those in stock first, each from the cheapest on."""
    query = (
        select(*COLUMNS)
        .where(Offer.product_id == product_id)
        .order_by(Offer.items_in_stock == 0, Offer.price, Offer.id)
        .limit(limit)
    )
    return [OfferRow._make(row) for row in connection.execute(query)]


def count(connection: Connection, product_id: int) -> OfferCounts:
    in_stock = func.count(case((Offer.items_in_stock > 0, 1)))
    query = select(func.count(), in_stock).where(Offer.product_id == product_id)
    return OfferCounts._make(connection.execute(query).one())
