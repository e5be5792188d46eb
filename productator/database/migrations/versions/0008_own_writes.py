"""A count of the writes of own offers, by which the nodes of a cluster notice each other's."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    count = sa.Column("own_writes", _BIG, nullable=False, server_default=sa.text("0"))
    op.add_column("refreshes", count)
