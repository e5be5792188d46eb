"""The last changes of lowest prices, of one product or of all, for those who follow them."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select, union_all

from productator.models import PricePoint, Product, ProductPrice

# Of the records that are read, some differ in other figures only.
_RECORDS = 300
# Of each of several products.
_RECORDS_OF_EACH = 20


class PriceChange(NamedTuple):
    """What the lowest price became; None: nothing is in stock."""

    at: datetime
    price: int | None
    before: int | None


class ProductsChange(NamedTuple):
    """The same, and whose price it is."""

    product_id: int
    name: str
    remote_id: str
    change: PriceChange


def latest(connection: Connection, product_id: int, *, limit: int) -> list[PriceChange]:
    """Newest first; without those that were rolled up."""
    points = connection.execute(_points(product_id).limit(_RECORDS)).all()
    return _changes(points)[:limit]


def latest_of_all(connection: Connection, *, limit: int) -> list[ProductsChange]:
    """The newest changes of all products: the last one of each of `limit` products, and some before.

    It reads so many rows by their index, and some records of each product, however long the history is.
    """
    newest = (
        select(Product.id, Product.name, Product.remote_id, ProductPrice.changed_at)
        .join(ProductPrice, ProductPrice.product_id == Product.id)
        .where(ProductPrice.changed_at.is_not(None))
        .order_by(ProductPrice.changed_at.desc())
        .limit(limit)
    )
    changed = connection.execute(newest).all()
    points = _last_points(connection, changed)
    found = [
        ProductsChange(product_id, name, remote_id, change)
        for product_id, name, remote_id, _ in changed
        for change in _changes(points.get(product_id, []))
    ]
    return sorted(found, key=lambda each: (each.change.at, each.product_id), reverse=True)[:limit]


def _last_points(connection: Connection, changed: Iterable[Any]) -> dict[int, list[Any]]:
    """Of each product the records until its last change, newest first."""
    queries = [
        select(
            _points(each.id)
            .where(PricePoint.starts_at <= each.changed_at)
            .add_columns(PricePoint.product_id)
            .limit(_RECORDS_OF_EACH)
            .subquery()
        )
        for each in changed
    ]
    points: dict[int, list[Any]] = {}
    if queries:
        for point in connection.execute(union_all(*queries)):
            points.setdefault(point.product_id, []).append(point)
    return {key: sorted(rows, key=lambda row: row.starts_at, reverse=True) for key, rows in points.items()}


def _points(product_id: int) -> Select[datetime, int | None]:
    return (
        select(PricePoint.starts_at, PricePoint.lowest_price)
        .where(PricePoint.product_id == product_id, PricePoint.resolution_s == 0)
        .order_by(PricePoint.starts_at.desc())
    )


def _changes(points: Iterable[Any]) -> list[PriceChange]:
    return [
        PriceChange(after.starts_at, after.lowest_price, before.lowest_price)
        for after, before in pairwise(points)
        if after.lowest_price != before.lowest_price
    ]
