"""Lanes of claims, so that new products do not hold up the others; a digest that tells unchanged answers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

_DIGEST = sa.String(32).with_variant(
    mysql.VARCHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    op.add_column("refreshes", sa.Column("answer_digest", _DIGEST, nullable=True))
    op.add_column("refreshes", sa.Column("pending", sa.Boolean, nullable=False, server_default=sa.text("1")))
    op.execute(
        "UPDATE refreshes SET pending = 0"
        " WHERE product_id IN (SELECT id FROM products WHERE registered_at IS NOT NULL)"
    )
    op.create_index("ix_refreshes_pending_due_at", "refreshes", ["pending", "due_at"])
    op.drop_index("ix_refreshes_due_at", "refreshes")
