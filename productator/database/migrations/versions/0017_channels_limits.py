"""A channel's limit of messages, and the indexes by which the notifier finds its deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("channels", sa.Column("messages_an_hour", sa.Integer, nullable=True))
    op.create_index(
        "ix_deliveries_channel_id_status_next_try_at",
        "deliveries",
        ["channel_id", "status", "next_try_at"],
    )
    op.create_index("ix_deliveries_channel_id_delivered_at", "deliveries", ["channel_id", "delivered_at"])
