"""The list of products with their prices and their age, as people look at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, literal_column, or_, select

from productator.catalogue import products, search
from productator.database.keyset import Order, Page, Position, orders, read_page
from productator.domain import utc_now
from productator.errors import ProductNotFound
from productator.models import AlertRule, Offer, Product, ProductPrice, Refresh
from productator.prices.day_lows import DayLows, Lows, lows_in, observed
from productator.prices.product_prices import day_of

# In the order of prices, products without one are left out.
_UNIQUE = ProductPrice.product_id
BY_PRICE = orders(_UNIQUE, price=ProductPrice.lowest_price) | {
    "change": Order(ProductPrice.change_permille, _UNIQUE, is_signed=True),
    "-change": Order(ProductPrice.change_permille, _UNIQUE, is_signed=True, descending=True),
}
ORDERS: dict[str, Order] = orders(Product.id, name=Product.name, id=Product.id) | BY_PRICE


# So many products are sorted within some thousandths of a second.
_FEW = 1_000

_WITH_ALERT = (
    select(AlertRule.product_id)
    .where(AlertRule.product_id.is_not(None), AlertRule.active.is_(True))
    .group_by(AlertRule.product_id)
    .order_by(AlertRule.product_id)
    .limit(_FEW + 1)
)


@dataclass(frozen=True)
class Wanted:
    """Which products: all that every given condition holds for."""

    text: str = ""
    in_stock: bool = False
    at_low: bool = False
    # Those whose offers are older than this.
    stale_since: datetime | None = None
    # Those that an active rule is about alone.
    has_alert: bool = False


class _Row(NamedTuple):
    id: int
    name: str
    registered_at: datetime | None
    refreshed_at: datetime | None
    failures: int
    last_error: str | None
    product_id: int | None
    lowest_price: int | None
    change_permille: int | None
    is_lowest: bool | None
    day: int | None
    day_lows: str | None
    has_alert: int | None


class ListedProduct(NamedTuple):
    id: int
    name: str
    is_registered: bool
    refreshed_at: datetime | None
    failures: int
    last_error: str | None
    # Of offers in stock, now.
    lowest_price: int | None
    offers_in_stock: int
    # Of the last 30 days; None: nothing to compare with.
    change_permille: int | None
    is_lowest: bool
    lows: Lows
    # Whether an active rule is about it alone.
    has_alert: bool


# A scalar with a limit, since MariaDB would read all rules for an EXISTS, and then join them.
_ALERT = (
    select(literal_column("1"))
    .where(AlertRule.product_id == Product.id, AlertRule.active.is_(True))
    .limit(1)
    .scalar_subquery()
)
_COLUMNS = (
    *(getattr(Product, name) for name in ("id", "name", "registered_at")),
    *(getattr(Refresh, name) for name in ("refreshed_at", "failures", "last_error")),
    *(getattr(ProductPrice, name) for name in _Row._fields[6:-1]),
    _ALERT.label("has_alert"),
)


def page(
    connection: Connection, wanted: Wanted, *, sort: str, limit: int, position: Position | None
) -> Page[ListedProduct]:
    query, is_selective = _filtered(connection, _joined(sort), wanted, limit=limit)
    if not is_selective:
        # Servers would else begin with another table, and sort all products.
        query = query.prefix_with("STRAIGHT_JOIN", dialect="mysql")
        query = query.prefix_with("STRAIGHT_JOIN", dialect="mariadb")
    found = read_page(connection, query, ORDERS[sort], limit=limit, position=position).map(_Row._make)
    prices = _prices_now(connection, [row.id for row in found.rows])
    today = day_of(utc_now())
    return found.map(lambda row: _listed(row, prices.get(row.id, (None, 0)), today=today))


def one(connection: Connection, product_id: int) -> ListedProduct:
    """The product as it is listed; raises ProductNotFound."""
    row = connection.execute(_joined("id").where(Product.id == product_id)).one_or_none()
    if row is None:
        raise ProductNotFound(product_id)
    prices = _prices_now(connection, [product_id])
    return _listed(_Row._make(row), prices.get(product_id, (None, 0)), today=day_of(utc_now()))


def _joined(sort: str) -> Select[Any]:
    if sort in BY_PRICE:
        return (
            select(*_COLUMNS)
            .select_from(ProductPrice)
            .join(Product, Product.id == ProductPrice.product_id)
            .join(Refresh, Refresh.product_id == Product.id)
            .where(ORDERS[sort].key.is_not(None))
        )
    return (
        select(*_COLUMNS)
        .select_from(Product)
        .join(Refresh, Refresh.product_id == Product.id)
        .outerjoin(ProductPrice, ProductPrice.product_id == Product.id)
    )


def _filtered(
    connection: Connection, query: Select[Any], wanted: Wanted, *, limit: int
) -> tuple[Select[Any], bool]:
    """The query with all conditions, and whether one of them leaves few products, which can be sorted."""
    is_selective = False
    if wanted.text.strip():
        by_id = products.ORDERS["id"]
        found = search.search(connection, wanted.text, by_id, limit=limit, position=None)
        query, is_selective = query.where(found.condition), found.is_by_index
    if wanted.in_stock:
        query = query.where(ProductPrice.lowest_price.is_not(None))
    if wanted.at_low:
        query = query.where(ProductPrice.is_lowest.is_(True))
    if wanted.has_alert:
        # Where few products have rules, a list in the order of all products would look for long.
        some = connection.scalars(_WITH_ALERT).all()
        if len(some) > _FEW:
            query = query.where(_ALERT.is_not(None))
        else:
            query, is_selective = query.where(Product.id.in_(some)), True
    if wanted.stale_since is not None:
        is_stale = or_(Refresh.refreshed_at.is_(None), Refresh.refreshed_at < wanted.stale_since)
        # No index has the times of refreshes: it would be written with each of them.
        some = connection.scalars(select(Refresh.product_id).where(is_stale).limit(_FEW + 1)).all()
        if len(some) > _FEW:
            return query.where(is_stale), is_selective
        return query.where(Product.id.in_(some)), True
    return query, is_selective


def _prices_now(connection: Connection, product_ids: Sequence[int]) -> dict[int, tuple[int | None, int]]:
    """The lowest price and the number of offers in stock of those products that have any."""
    if not product_ids:
        return {}
    query = (
        select(Offer.product_id, func.min(Offer.price), func.count())
        .where(Offer.product_id.in_(product_ids), Offer.items_in_stock > 0)
        .group_by(Offer.product_id)
    )
    return {product_id: (price, count) for product_id, price, count in connection.execute(query)}


def _listed(row: _Row, now: tuple[int | None, int], *, today: int) -> ListedProduct:
    lowest_price, offers_in_stock = now
    known = None
    if row.day is not None and row.day_lows is not None:
        stored = DayLows(row.lowest_price, row.day, lows_in(row.day_lows))
        known = observed(stored, lowest_price, today=today)
    return ListedProduct(
        row.id,
        row.name,
        row.registered_at is not None,
        row.refreshed_at,
        row.failures,
        row.last_error,
        lowest_price,
        offers_in_stock,
        known.change_permille if known else None,
        known.is_lowest if known else False,
        # What is drawn ends with the price now.
        (*known.lows[:-1], lowest_price) if known else (),
        bool(row.has_alert),
    )
