"""The databases, the application on each of them, and no skips where everything is required."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from lab import databases
from productator.app import create_app
from productator.config import Settings
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import db
from productator.models import Base
from tests import factories


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[databases.Databases]:
    files = databases.SqliteFiles(tmp_path_factory.mktemp("sqlite"))
    yield files
    files.drop_all()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[databases.Databases]:
    with ExitStack() as running:
        with missing_is_told():
            url = running.enter_context(databases.mariadb_url())
        server = databases.Server(url)
        yield server
        server.drop_all()


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[databases.Databases]:
    with missing_is_told():
        url = databases.mysql_url()
    server = databases.Server(url)
    yield server
    server.drop_all()


@pytest.fixture(scope="session", params=databases.NAMES)
def server(request: pytest.FixtureRequest) -> databases.Databases:
    """Where databases of one kind come from; whatever uses this runs once for each kind."""
    fixture = {"sqlite": "sqlite_files", "mariadb": "mariadb_server", "mysql": "mysql_server"}[request.param]
    found: databases.Databases = request.getfixturevalue(fixture)
    return found


@pytest.fixture(scope="session")
def migrated_engine(server: databases.Databases) -> Iterator[Engine]:
    """The session's one database, with the newest schema."""
    engine = make_engine(server.new())
    migrate.migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def database_url(migrated_engine: Engine) -> str:
    """A database with the newest schema and no rows."""
    with migrated_engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    return migrated_engine.url.render_as_string(hide_password=False)


@pytest.fixture
def empty_database_url(server: databases.Databases) -> str:
    """A database without even a schema."""
    return server.new()


@pytest.fixture
def engine(migrated_engine: Engine, database_url: str) -> Engine:
    return migrated_engine


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return sessionmaker(engine)


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the engine has sent since the start of the test."""
    sent: list[str] = []

    def note(*call: Any) -> None:
        sent.append(call[2])

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return factories.settings(database_url=database_url)


@pytest.fixture(scope="session")
def migrated_app(migrated_engine: Engine) -> Iterator[Flask]:
    """One application for all tests on a database: connecting anew would take longer than they do."""
    url = migrated_engine.url.render_as_string(hide_password=False)
    app = create_app(factories.settings(database_url=url))
    yield app
    dispose_of(app)


@pytest.fixture
def app(migrated_app: Flask, database_url: str) -> Flask:
    return migrated_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def dispose_of(app: Flask) -> None:
    """Closes the application's database connections."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@contextmanager
def missing_is_told() -> Iterator[None]:
    """Skips, or fails where everything is required, with the reason why there is no such database."""
    try:
        yield
    except databases.Missing as missing:
        if os.environ.get(databases.REQUIRE_ALL):
            raise
        pytest.skip(str(missing))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _wrongly_skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(config: pytest.Config) -> None:
    skipped = _wrongly_skipped(config)
    if skipped:
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(f"{databases.REQUIRE_ALL} is set, but {skipped} were skipped.", red=True)


def _wrongly_skipped(config: pytest.Config) -> int:
    """How many tests and files were skipped although the environment asks for all of them."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get(databases.REQUIRE_ALL) or terminal is None:
        return 0
    return len(terminal.stats.get("skipped", []))
