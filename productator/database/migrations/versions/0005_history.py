"""The history of offers and of each product's summary; it begins with what the upgrade finds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_CLUSTERED = _OPTIONS | {"sqlite_with_rowid": False}
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_PRODUCTS_A_TIME = 1_000
_LARGEST = 2**53 - 1
_APPEARED = 1


def _exact(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    changes = op.create_table(
        "offer_changes",
        sa.Column("product_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("offer_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("remote_id", _exact(64), nullable=True),
        sa.Column("price", _BIG_ID, nullable=True),
        sa.Column("items_in_stock", _BIG_ID, nullable=True),
        sa.PrimaryKeyConstraint("product_id", "changed_at", "offer_id", name="pk_offer_changes"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_offer_changes_product_id", ondelete="CASCADE"
        ),
        **_CLUSTERED,
    )
    op.create_index("ix_offer_changes_offer", "offer_changes", ["product_id", "offer_id", "changed_at"])
    points = op.create_table(
        "price_points",
        sa.Column("product_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("resolution_s", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("lowest_price", _BIG_ID, nullable=True),
        sa.Column("highest_price", _BIG_ID, nullable=True),
        sa.Column("average_price", _BIG_ID, nullable=True),
        sa.Column("offers", _BIG_ID, nullable=False),
        sa.Column("items_in_stock", _BIG_ID, nullable=False),
        sa.Column("mean_lowest_price", _BIG_ID, nullable=True),
        sa.Column("covered_s", sa.Double, nullable=True),
        sa.Column("in_stock_s", sa.Double, nullable=True),
        sa.PrimaryKeyConstraint("product_id", "starts_at", "resolution_s", name="pk_price_points"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_price_points_product_id", ondelete="CASCADE"
        ),
        **_CLUSTERED,
    )
    op.create_table(
        "history_chores",
        sa.Column("name", _exact(32), nullable=False),
        sa.Column("done_until", _TIME, nullable=False),
        sa.Column("product_id", _BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_history_chores"),
        **_OPTIONS,
    )
    _begin_history(op.get_bind(), changes, points)


def _begin_history(connection: sa.Connection, changes: sa.Table, points: sa.Table) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    for offers in _offers_of_some_products(connection):
        rows = [
            {
                "product_id": offer.product_id,
                "changed_at": now,
                "offer_id": offer.id,
                "kind": _APPEARED,
                "remote_id": offer.remote_id,
                "price": offer.price,
                "items_in_stock": offer.items_in_stock,
            }
            for offer in offers
        ]
        connection.execute(sa.insert(changes), rows)
        together = groupby(offers, attrgetter("product_id"))
        summaries = [
            {"product_id": product_id, "starts_at": now, "resolution_s": 0, **_summary(list(group))}
            for product_id, group in together
        ]
        connection.execute(sa.insert(points), summaries)


def _offers_of_some_products(connection: sa.Connection) -> Iterator[list[Any]]:
    """All offers, by product; those of a product stand together."""
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(name) for name in ("id", "product_id", "remote_id", "price", "items_in_stock")
    ]
    offers = sa.table("offers", *columns)
    product_id = offers.c.product_id
    some = sa.select(product_id).distinct().order_by(product_id).limit(_PRODUCTS_A_TIME)
    last = 0
    while product_ids := connection.scalars(some.where(product_id > last)).all():
        query = sa.select(*columns).where(product_id > last, product_id <= product_ids[-1])
        yield list(connection.execute(query.order_by(product_id, offers.c.id)))
        last = product_ids[-1]


def _summary(offers: list[Any]) -> dict[str, int | None]:
    prices = [offer.price for offer in offers if offer.items_in_stock]
    return {
        "lowest_price": min(prices, default=None),
        "highest_price": max(prices, default=None),
        "average_price": (2_000 * sum(prices) + len(prices)) // (2 * len(prices)) if prices else None,
        "offers": len(offers),
        "items_in_stock": min(sum(offer.items_in_stock for offer in offers), _LARGEST),
    }
