"""Means of offers and of items in stock, of history that was rolled up."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    # What was rolled up before has none: there, what it ended with stands for the whole.
    op.add_column("price_points", sa.Column("mean_offers", _BIG, nullable=True))
    op.add_column("price_points", sa.Column("mean_items_in_stock", _BIG, nullable=True))
