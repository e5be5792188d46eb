"""Sessions of the pages, heartbeats of the refreshers, and what these did in each hour."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _exact(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id_hash", _exact(64), nullable=False),
        sa.Column("token_id", _BIG_ID, nullable=True),
        sa.Column("admin_proof", _exact(64), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name="fk_sessions_token_id", ondelete="CASCADE"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_sessions_created_at", "sessions", ["created_at"])
    op.create_table(
        "refresher_heartbeats",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", _exact(32), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("down_since", _TIME, nullable=True),
        sa.Column("last_success_at", _TIME, nullable=True),
        sa.Column("refreshes_per_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_refresher_heartbeats"),
        **_OPTIONS,
    )
    op.create_table(
        "refresh_hours",
        sa.Column("starts_at", _TIME, nullable=False),
        sa.Column("refreshes", _BIG_ID, nullable=False),
        sa.Column("failures", _BIG_ID, nullable=False),
        sa.Column("changes", _BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("starts_at", name="pk_refresh_hours"),
        **_OPTIONS,
    )
