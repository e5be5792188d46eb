"""A version on the schema of a newer one, as while that is rolled out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from productator.app import create_app
from productator.cli import main
from productator.database import migrate
from productator.database.engine import make_engine
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.servers import dispose_of

EXCLUDED = (
    "This version does not know the database's schema 9999: use the version that migrated it, or restore a"
    " backup from before that migration."
)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def newer(empty_database_url: str) -> Iterator[Engine]:
    """A database that a version of the future has migrated."""
    engine = make_engine(empty_database_url)
    migrate.migrate(engine)
    execute(engine, "UPDATE alembic_version SET version_num = '9999'")
    execute(engine, "CREATE TABLE of_the_future (id INTEGER PRIMARY KEY)")
    yield engine
    engine.dispose()


@pytest.fixture
def client(newer: Engine, empty_database_url: str) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=empty_database_url))
    yield app.test_client()
    dispose_of(app)


def execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def exclude_this_version(engine: Engine) -> None:
    execute(engine, "UPDATE schema_compatibility SET oldest_revision = '9998'")


def run_migrate(url: str) -> tuple[int, str]:
    environment = os.environ | {"PRODUCTATOR_CONFIG": "", "DATABASE_URL": url}
    result = CliRunner().invoke(main, ["migrate"], env=environment)
    return result.exit_code, result.output


def test_a_newer_schema_that_admits_this_version_is_ready(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200
    assert client.post(PRODUCTS, json={"name": "Kettle"}).status_code == 201


def test_migrating_a_newer_schema_that_admits_this_version_changes_nothing(
    newer: Engine, empty_database_url: str
) -> None:
    code, output = run_migrate(empty_database_url)

    assert code == 0
    assert "schema 9999, which is newer than this version and may be used by it; nothing to do" in output
    with newer.connect() as connection:
        assert migrate.revision(connection) == "9999"


def test_a_newer_schema_that_excludes_this_version_is_not_ready(client: FlaskClient, newer: Engine) -> None:
    exclude_this_version(newer)

    assert problem(client.get("/readyz"), 503)["detail"] == EXCLUDED


def test_migrating_a_newer_schema_that_excludes_this_version_ends_with_the_way_back(
    newer: Engine, empty_database_url: str
) -> None:
    exclude_this_version(newer)

    assert run_migrate(empty_database_url) == (1, f"Error: {EXCLUDED}\n")


@pytest.mark.parametrize("gone", ["DROP TABLE schema_compatibility", "DELETE FROM schema_compatibility"])
def test_a_schema_that_says_nothing_about_older_versions_excludes_them(
    client: FlaskClient, newer: Engine, gone: str
) -> None:
    execute(newer, gone)

    assert problem(client.get("/readyz"), 503)["detail"] == EXCLUDED


def test_the_migrated_database_admits_the_versions_that_the_code_names(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.scalars(text("SELECT oldest_revision FROM schema_compatibility")).all()

    assert found == [migrate.OLDEST_COMPATIBLE]


def test_a_database_from_the_dump_admits_the_same_versions() -> None:
    dump = ROOT.joinpath("dump.sql").read_text(encoding="utf-8")

    assert f"INTO schema_compatibility (oldest_revision) VALUES ('{migrate.OLDEST_COMPATIBLE}');" in dump


def test_revisions_ascend_so_that_they_tell_which_version_is_older() -> None:
    config = Config()
    config.set_main_option("script_location", migrate.__file__.removesuffix("migrate.py") + "migrations")
    newest_first = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]

    assert newest_first == sorted(newest_first, reverse=True)
