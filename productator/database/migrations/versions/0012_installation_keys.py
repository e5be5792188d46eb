"""Random keys that all programs on the database share; the first program that needs one makes it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}


def _exact(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "installation_keys",
        sa.Column("name", _exact(32), nullable=False),
        sa.Column("secret", _exact(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_installation_keys"),
        **_OPTIONS,
    )
