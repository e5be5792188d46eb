"""What tests share on each database server: a migrated database, and an application on it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event, exists, literal, select, union_all

from lab.databases import REQUIRE_ALL, Databases, Missing
from productator.app import create_app
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import database, db
from productator.models import Base, SchemaCompatibility
from tests import factories

# The migrations fill this table, and no program writes to it.
_MIGRATED = SchemaCompatibility.__tablename__
_TABLES = [table for table in Base.metadata.sorted_tables if table.name != _MIGRATED]
# The names of the tables that hold rows.
_FILLED = union_all(
    *(select(literal(table.name)).where(exists(select(1).select_from(table))) for table in _TABLES)
)


NOT_REQUIRED = "Not required:"


@contextmanager
def skipped_if_missing() -> Iterator[None]:
    """Skips the test, or fails it where it is required, when its database is not installed."""
    try:
        yield
    except Missing as missing:
        if missing.is_required:
            raise
        pytest.skip(f"{NOT_REQUIRED} {missing}" if os.environ.get(REQUIRE_ALL) else str(missing))


@dataclass
class MigratedDatabase:
    """A database with the newest schema, and one application on it; both are made when first asked for."""

    new_url: Callable[[], str]

    @cached_property
    def engine(self) -> Engine:
        engine = make_engine(self.new_url())
        migrate.migrate(engine)
        return engine

    @cached_property
    def app(self) -> Flask:
        return create_app(factories.settings(database_url=url_of(self.engine)))

    def close(self) -> None:
        made = vars(self)
        if "app" in made:
            dispose_of(self.app)
        if "engine" in made:
            self.engine.dispose()


class SharedServer:
    """Makes databases of a kind. Most tests share one: migrating and connecting take longer than they do."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self.shared = MigratedDatabase(databases.new)

    def new(self) -> str:
        """The address of a database without a schema that nobody else uses."""
        return self._databases.new()

    def close(self) -> None:
        self.shared.close()
        self._databases.drop_all()


def empty(engine: Engine) -> None:
    """Deletes all rows. Asks first where there are any: most tests write to few tables or to none."""
    with engine.begin() as connection:
        filled = set(connection.scalars(_FILLED))
        for table in reversed(_TABLES):
            if table.name in filled:
                connection.execute(table.delete())


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any engine of this process sends meanwhile."""
    sent: list[str] = []

    def note(*call: Any) -> None:
        sent.append(call[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def do_not_wait_for_the_disk(connection: object, _record: object) -> None:
    """Saves the writes to SQLite the time that it takes to survive a power cut."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def dispose_of(app: Flask) -> None:
    """Closes the application's database connections."""
    with app.app_context():
        for kept in (database().readers, database().writers):
            kept.close()
        for engine in db.engines.values():
            engine.dispose()
