"""When each product's lowest price last changed: the feed of all products begins with the newest ones."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0018"

_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.add_column("product_prices", sa.Column("changed_at", _TIME, nullable=True))
    op.create_index("ix_product_prices_changed_at", "product_prices", ["changed_at"])
