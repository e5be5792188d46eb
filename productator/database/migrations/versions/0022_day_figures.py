"""Figures of finished days of products that change very often; the refresher's maintenance writes them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0022"
down_revision = "0021"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "day_figures",
        sa.Column("product_id", _ID, autoincrement=False, nullable=False),
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("last_point_at", _TIME, nullable=False),
        sa.Column("trend", sa.Text, nullable=False),
        sa.Column("times", _BYTES, nullable=False),
        sa.Column("hours", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], "fk_day_figures_product_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "starts_at", name="pk_day_figures"),
        **_OPTIONS,
    )
