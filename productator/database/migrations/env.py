"""Runs the migrations on the connection that `productator.database.migrate.migrate` holds its lock on."""

from typing import Any

from alembic import context
from alembic.ddl.mysql import MySQLImpl
from sqlalchemy import Column, Index, Inspector, Table, inspect

from productator.database.base import Base


class Resumable(MySQLImpl):
    """Leaves out what is there already: servers commit each step at once, and an upgrade may be killed."""

    __dialect__ = "mysql"

    def create_table(self, table: Table, **options: Any) -> None:
        super().create_table(table, **options, if_not_exists=True)

    def add_column(self, table_name: str, column: Column[Any], **options: Any) -> None:
        if column.name not in {each["name"] for each in self._inspector.get_columns(table_name)}:
            super().add_column(table_name, column, **options)

    def create_index(self, index: Index, **options: Any) -> None:
        if not self._has(index):
            super().create_index(index, **options)

    def drop_index(self, index: Index, **options: Any) -> None:
        if self._has(index):
            super().drop_index(index, **options)

    def _has(self, index: Index) -> bool:
        table = index.table
        return table is not None and index.name in {
            each["name"] for each in self._inspector.get_indexes(table.name)
        }

    @property
    def _inspector(self) -> Inspector:
        # A new one each time: it remembers what it has seen.
        return inspect(self.connection)


class ResumableOnMariaDB(Resumable):
    __dialect__ = "mariadb"


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
