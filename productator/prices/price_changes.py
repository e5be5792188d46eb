"""The last changes of a product's lowest price, for those who follow it."""

from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection, select

from productator.models import PricePoint

# Of the records that are read, some differ in other figures only.
_RECORDS = 300


class PriceChange(NamedTuple):
    """What the lowest price became; None: nothing is in stock."""

    at: datetime
    price: int | None
    before: int | None


def latest(connection: Connection, product_id: int, *, limit: int) -> list[PriceChange]:
    """Newest first; without those that were rolled up."""
    query = (
        select(PricePoint.starts_at, PricePoint.lowest_price)
        .where(PricePoint.product_id == product_id, PricePoint.resolution_s == 0)
        .order_by(PricePoint.starts_at.desc())
        .limit(_RECORDS)
    )
    points = connection.execute(query).all()
    changes = [
        PriceChange(at, price, before) for (at, price), (_, before) in pairwise(points) if price != before
    ]
    return changes[:limit]
