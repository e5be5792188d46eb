"""The databases, the application on each of them, and no skips where everything is required."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from lab import databases
from productator.config import Settings
from tests import factories, marks, parallel, servers
from tests.servers import SharedServer

# No test asserts a time: an example takes as long as the machine needs.
hypothesis.settings.register_profile("productator", deadline=None)
hypothesis.settings.load_profile("productator")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(parallel.Controller(config))
    event.listen(Engine, "connect", servers.do_not_wait_for_the_disk)


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are processors, as tests of processes mostly wait."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the whole system come first: they take longest, and the others run beside them."""
    items.sort(key=lambda item: "tests/system" not in item.nodeid)


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    server = SharedServer(databases.SqliteFiles(tmp_path_factory.mktemp("sqlite")))
    yield server
    server.close()


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[SharedServer]:
    with ExitStack() as running:
        with servers.skipped_if_missing():
            url = parallel.given_mariadb_url(request.config) or running.enter_context(databases.mariadb_url())
        is_given = bool(os.environ.get("TEST_MARIADB_URL"))
        server = SharedServer(databases.Server(url, outlives_tests=is_given))
        yield server
        server.close()


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[SharedServer]:
    with servers.skipped_if_missing():
        url = databases.mysql_url()
    server = SharedServer(databases.Server(url))
    yield server
    server.close()


@pytest.fixture(scope="session", params=databases.NAMES)
def server(request: pytest.FixtureRequest) -> SharedServer:
    """Where the test's database is; a test that uses this runs on each of the three."""
    fixtures = {
        "sqlite": "sqlite_files",
        "mariadb": "mariadb_server",
        "mysql": "mysql_server",
        marks.ANY: "sqlite_files",
    }
    found: SharedServer = request.getfixturevalue(fixtures[request.param])
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Iterator[None]:
    """Keeps the promise of `marks.SENDS_NO_SQL`."""
    if not hasattr(item, "callspec") or item.callspec.params.get("server") != marks.ANY:
        return (yield)
    with servers.statements() as sent:
        result = yield
    assert sent == [], "This test sends SQL, so it must run on every database."
    return result


@pytest.fixture
def engine(server: SharedServer) -> Engine:
    """A database with the newest schema and no rows."""
    servers.empty(server.shared.engine)
    return server.shared.engine


@pytest.fixture
def database_url(engine: Engine) -> str:
    return servers.url_of(engine)


@pytest.fixture
def empty_database_url(server: SharedServer) -> str:
    """A database without even a schema."""
    return server.new()


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


@pytest.fixture
def app(server: SharedServer, database_url: str) -> Flask:
    return server.shared.app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _wrongly_skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Gives each reason for skipping once, instead of once for each test."""
    for reason, count in _skipped(config).items():
        terminalreporter.write_line(f"{count} skipped: {reason}")
    wrongly_skipped = _wrongly_skipped(config)
    if wrongly_skipped:
        line = f"{databases.REQUIRE_ALL} is set, but {wrongly_skipped} were skipped."
        terminalreporter.write_line(line, red=True)


def _wrongly_skipped(config: pytest.Config) -> int:
    """How many tests and files were skipped although the environment requires them."""
    if not os.environ.get(databases.REQUIRE_ALL):
        return 0
    return sum(count for reason, count in _skipped(config).items() if servers.NOT_REQUIRED not in reason)


def _skipped(config: pytest.Config) -> Counter[str]:
    """How many tests and files were skipped for each reason."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    reports = terminal.stats.get("skipped", []) if terminal else []
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
