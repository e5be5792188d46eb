"""Products, their refreshes and offers, and the token towards the Offers service."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
} | {"sqlite_autoincrement": True}
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _exact(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "products",
        sa.Column("id", _BIG_ID, nullable=False, autoincrement=True),
        sa.Column("name", sa.String(450), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("remote_id", _exact(36), nullable=False),
        sa.Column("version", _BIG_ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("registered_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("remote_id", name="uq_products_remote_id"),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_products_name_given")),
        **_OPTIONS,
    )
    op.create_table(
        "service_tokens",
        sa.Column("identity", _exact(64), nullable=False),
        sa.Column("access_token", sa.Text, nullable=True),
        sa.Column("obtained_at", _TIME, nullable=True),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("renewer", _exact(32), nullable=True),
        sa.Column("renewer_until", _TIME, nullable=True),
        sa.Column("retry_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("identity", name="pk_service_tokens"),
        **_OPTIONS,
    )
    op.create_table(
        "offers",
        sa.Column("id", _BIG_ID, nullable=False, autoincrement=True),
        sa.Column("product_id", _BIG_ID, nullable=False),
        sa.Column("remote_id", _exact(64), nullable=True),
        sa.Column("price", _BIG_ID, nullable=False),
        sa.Column("items_in_stock", _BIG_ID, nullable=False),
        sa.Column("version", _BIG_ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
        sa.UniqueConstraint("remote_id", "product_id", name="uq_offers_remote_id_product_id"),
        sa.CheckConstraint("price >= 0", name=op.f("ck_offers_price_not_negative")),
        sa.CheckConstraint("items_in_stock >= 0", name=op.f("ck_offers_stock_not_negative")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_offers_product_id", ondelete="CASCADE"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_offers_price", "offers", ["price"])
    op.create_index("ix_offers_product_id", "offers", ["product_id"])
    op.create_table(
        "refreshes",
        sa.Column("product_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("claim_token", _exact(32), nullable=True),
        sa.Column("refreshed_at", _TIME, nullable=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("product_id", name="pk_refreshes"),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_refreshes_failures_counted")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_refreshes_product_id", ondelete="CASCADE"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_refreshes_due_at", "refreshes", ["due_at"])
