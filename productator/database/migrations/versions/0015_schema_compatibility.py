"""The oldest version whose programs may use the schema: while it is rolled out, old ones stay ready."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
}
_EXACT = sa.String(32).with_variant(
    mysql.VARCHAR(32, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def upgrade() -> None:
    op.create_table(
        "schema_compatibility",
        sa.Column("oldest_revision", _EXACT, nullable=False),
        sa.PrimaryKeyConstraint("oldest_revision", name="pk_schema_compatibility"),
        **_OPTIONS,
    )
    # A migration that was killed may have written it.
    op.execute("DELETE FROM schema_compatibility")
    op.execute("INSERT INTO schema_compatibility (oldest_revision) VALUES ('0010')")
