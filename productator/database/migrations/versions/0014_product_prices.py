"""What lists show of each product's prices; the refresher's maintenance fills it from the history."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_LOWS = sa.String(600).with_variant(
    mysql.VARCHAR(600, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    op.create_table(
        "product_prices",
        sa.Column("product_id", _BIG, autoincrement=False, nullable=False),
        sa.Column("lowest_price", _BIG, nullable=True),
        sa.Column("change_permille", _BIG, nullable=True),
        sa.Column("is_lowest", sa.Boolean, server_default=sa.text("0"), nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("day_lows", _LOWS, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], "fk_product_prices_product_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", name="pk_product_prices"),
        **_OPTIONS,
    )
    op.create_index("ix_product_prices_lowest_price", "product_prices", ["lowest_price"])
    op.create_index("ix_product_prices_change_permille", "product_prices", ["change_permille"])
