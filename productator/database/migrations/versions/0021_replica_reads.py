"""When a token wrote last, the count by which the lag of a replica is measured, and rules without days."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0021"
down_revision = "0020"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.add_column("api_tokens", sa.Column("wrote_at", _TIME, nullable=True))
    op.create_table(
        "replication_beats",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_replication_beats"),
        **_OPTIONS,
    )
    # Rules of all kinds were stored with the days of the one kind that has them.
    op.execute("UPDATE alert_rules SET days = NULL WHERE kind <> 'new_low'")
