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
    # Servers commit each step at once, so an upgrade that was killed finds some of them done.
    inspector = sa.inspect(op.get_bind())
    columns = {column["name"] for column in inspector.get_columns("refreshes")}
    indexes = {index["name"] for index in inspector.get_indexes("refreshes")}
    if "answer_digest" not in columns:
        op.add_column("refreshes", sa.Column("answer_digest", _DIGEST, nullable=True))
    if "pending" not in columns:
        op.add_column(
            "refreshes", sa.Column("pending", sa.Boolean, nullable=False, server_default=sa.text("1"))
        )
    op.execute(
        "UPDATE refreshes SET pending = 0"
        " WHERE product_id IN (SELECT id FROM products WHERE registered_at IS NOT NULL)"
    )
    if "ix_refreshes_pending_due_at" not in indexes:
        op.create_index("ix_refreshes_pending_due_at", "refreshes", ["pending", "due_at"])
    if "ix_refreshes_due_at" in indexes:
        op.drop_index("ix_refreshes_due_at", "refreshes")
