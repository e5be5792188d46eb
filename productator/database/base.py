"""The base of all models, and the options of their tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# MySQL and MariaDB both have this collation, which ignores case and accents.
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}
TABLE_OPTIONS = {f"{name}_{key}": value for name in ("mysql", "mariadb") for key, value in _MYSQL.items()} | {
    # Without this, SQLite reuses the id of a deleted last row.
    "sqlite_autoincrement": True
}
