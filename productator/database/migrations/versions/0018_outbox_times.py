"""When a product was noted for the alert rules about it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"

_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    # Null: an older version noted it.
    op.add_column("alert_outbox", sa.Column("noted_at", _TIME, nullable=True))
