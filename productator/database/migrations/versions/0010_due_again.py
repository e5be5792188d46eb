"""A note that a refresh was asked for while one was under way."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column(
        "refreshes", sa.Column("due_again", sa.Boolean, nullable=False, server_default=sa.text("0"))
    )
