"""Migrations, models and dump.sql give the same schema."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import Engine, event, inspect, text

from lab.databases import Databases
from productator import cli
from productator.database import migrate as schema
from productator.database.engine import make_engine
from productator.models import Base
from tests.upgrades import killed_after_each_step

ROOT = Path(__file__).parents[2]
COLUMNS = """SELECT table_name, column_name, ordinal_position, column_default, is_nullable, column_type,
    character_set_name, collation_name, extra FROM information_schema.columns"""
INDEXES = """SELECT table_name, index_name, index_type, non_unique, seq_in_index, column_name, collation
    FROM information_schema.statistics"""
TABLES = "SELECT table_name, engine, table_collation FROM information_schema.tables"
FOREIGN_KEYS = """SELECT constraint_name, table_name, unique_constraint_name, referenced_table_name,
    update_rule, delete_rule FROM information_schema.referential_constraints"""
CHECKS = "SELECT constraint_name, check_clause FROM information_schema.check_constraints"
QUERIES = {
    "tables": TABLES,
    "columns": COLUMNS,
    "indexes": INDEXES,
    "foreign keys": FOREIGN_KEYS,
    "checks": CHECKS,
}
SCHEMA_COLUMN = {FOREIGN_KEYS: "constraint_schema", CHECKS: "constraint_schema"}


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=["mariadb_server", "mysql_server"], ids=["mariadb", "mysql"])
def real_server(request: pytest.FixtureRequest) -> Databases:
    server: Databases = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module")
def imported(real_server: Databases) -> Iterator[Engine]:
    """A database that dump.sql was imported into."""
    dump = ROOT.joinpath("dump.sql").read_text(encoding="utf-8")
    engine = make_engine(real_server.new())
    with engine.begin() as connection:
        for statement in dump.rstrip().rstrip(";").split(";\n"):
            connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def migrated_beside(real_server: Databases) -> Iterator[Engine]:
    """A migrated database on the same server."""
    engine = make_engine(real_server.new())
    schema.migrate(engine)
    yield engine
    engine.dispose()


def facts(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    """What the server says about the database, without the database's name."""
    named = f"{query} WHERE {SCHEMA_COLUMN.get(query, 'table_schema')} = DATABASE()"
    with engine.connect() as connection:
        return sorted((tuple(row) for row in connection.execute(text(named))), key=repr)


def test_migrations_and_models_give_one_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})

        assert compare_metadata(context, Base.metadata) == []


def test_migrations_and_models_name_the_same_constraints(engine: Engine, empty_engine: Engine) -> None:
    Base.metadata.create_all(empty_engine)

    assert constraints(engine) == constraints(empty_engine)


def constraints(engine: Engine) -> set[tuple[str, str, str]]:
    """Type, name and contents of all constraints and indexes of our tables."""
    found = inspect(engine)
    read: dict[str, Callable[[str], Sequence[Mapping[str, Any]]]] = {
        "check": found.get_check_constraints,
        "foreign key": found.get_foreign_keys,
        "index": found.get_indexes,
        "unique": found.get_unique_constraints,
    }
    return {
        (constraint_type, each["name"], repr(sorted(each.items())))
        for table in Base.metadata.tables
        for constraint_type, constraints_of in read.items()
        for each in constraints_of(table)
    }


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_dump_gives_the_migrated_schema(imported: Engine, migrated_beside: Engine, query: str) -> None:
    expected = facts(migrated_beside, query)

    assert expected
    assert facts(imported, query) == expected


def test_a_database_from_the_dump_needs_no_migration(imported: Engine) -> None:
    assert schema.migrate(imported) == (schema.newest_revision(), schema.newest_revision())


def test_migrating_twice_does_nothing_the_second_time(empty_engine: Engine) -> None:
    assert schema.migrate(empty_engine) == (None, schema.newest_revision())
    assert schema.migrate(empty_engine) == (schema.newest_revision(), schema.newest_revision())


def test_the_next_upgrade_completes_one_that_was_killed_after_any_step(
    empty_engine: Engine, engine: Engine
) -> None:
    steps = 0
    with killed_after_each_step(empty_engine) as migrate:
        while not migrate():
            steps += 1

    assert steps >= len(Base.metadata.tables)
    assert constraints(empty_engine) == constraints(engine)


def test_eight_processes_may_migrate_at_once(empty_database_url: str, empty_engine: Engine) -> None:
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(8), context.SimpleQueue()
    processes = [
        context.Process(target=migrate_in_a_process, args=(empty_database_url, start, found))
        for _ in range(8)
    ]
    with ExitStack() as running:
        for process in processes:
            process.start()
            running.callback(process.join)

    assert [process.exitcode for process in processes] == [0] * 8
    assert Counter(found.get() for _ in processes) == {None: 1, schema.newest_revision(): 7}
    assert set(Base.metadata.tables) < set(inspect(empty_engine).get_table_names())


def test_on_sqlite_a_migration_waits_longer_for_the_write_lock_than_a_request(tmp_path: Path) -> None:
    file = tmp_path / "locked.db"
    file.touch()
    engine = make_engine(f"sqlite:///{file}")
    event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout = 0"))
    migrating = Thread(target=schema.migrate, args=(engine,))
    with engine.begin():
        migrating.start()
        migrating.join(timeout=0.5)
        assert migrating.is_alive()
    migrating.join()

    with engine.connect() as connection:
        assert schema.revision(connection) == schema.newest_revision()


def migrate_in_a_process(url: str, start: Barrier, found: Any) -> None:
    """Puts the version that the migration found into `found`."""
    engine = make_engine(url)
    start.wait()
    before, _ = schema.migrate(engine)
    found.put(before)


def test_the_command_says_what_it_did_and_hides_the_password(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    environment = {"DATABASE_URL": empty_database_url, "PRODUCTATOR_CONFIG": ""}

    first, second = (CliRunner().invoke(cli.main, ["migrate"], env=environment) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"schema {schema.newest_revision()}, was empty" in first.output
    assert "nothing to do" in second.output
    assert ":root@" not in first.output + second.output


def test_the_command_needs_no_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(cli.main, ["migrate"], env={"PRODUCTATOR_CONFIG": "", "DATABASE_URL": ""})

    assert result.exit_code == 0, result.output
    assert tmp_path.joinpath("var", "productator.db").exists()


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    file = str(tmp_path / "nowhere.cfg")

    result = CliRunner().invoke(cli.main, ["migrate"], env={"PRODUCTATOR_CONFIG": file})

    assert result.exit_code == 1
    assert result.output == f"Error: {file}: the config file cannot be read: No such file or directory.\n"
