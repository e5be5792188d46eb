"""A database that hangs: requests end in time, and probes go on."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from lab.databases import PrivateMariadb
from lab.processes.system import System
from lab.proofs.hanging_database import hang_under_load
from productator.database import migrate
from productator.database.engine import make_engine
from tests.servers import skipped_if_missing

BUDGET_S = 2


@pytest.fixture
def mariadb(tmp_path: Path) -> Iterator[PrivateMariadb]:
    with skipped_if_missing():
        server = PrivateMariadb(tmp_path)
    server.start()
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.stop()


def migrated(url: str, folder: Path) -> System:
    engine = make_engine(url)
    migrate.migrate(engine)
    engine.dispose()
    return System(url, folder, {"PRODUCTATOR_REQUEST_BUDGET_S": str(BUDGET_S)})


def test_a_server_that_hangs_ends_requests_in_time_and_leaves_the_probes_served(
    mariadb: PrivateMariadb, tmp_path: Path
) -> None:
    engine = make_engine(mariadb.url)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE test")
    engine.dispose()
    system = migrated(f"{mariadb.url}/test", tmp_path)
    try:
        api = system.api()
        hung = hang_under_load(api, hang=mariadb.pause, resume=mariadb.resume, for_s=8)
        created = api.request("POST", "/products", json={"name": "Kettle"})
    finally:
        assert not system.stop_all()

    assert hung.is_as_promised(budget_s=BUDGET_S), str(hung)
    assert created.status_code == 201
    assert "HARAKIRI" not in api.printed


def test_a_held_sqlite_lock_ends_writes_in_time_and_leaves_reads_and_liveness_served(tmp_path: Path) -> None:
    system = migrated(f"sqlite:///{tmp_path / 'x.db'}", tmp_path)
    holder = sqlite3.connect(make_url(system.database_url).database or "", isolation_level=None)
    try:
        api = system.api()
        hung = hang_under_load(
            api,
            hang=lambda: holder.execute("BEGIN IMMEDIATE"),
            resume=lambda: holder.execute("ROLLBACK"),
            for_s=8,
        )
        created = api.request("POST", "/products", json={"name": "Kettle"})
    finally:
        holder.close()
        assert not system.stop_all()

    assert hung.is_as_promised(budget_s=BUDGET_S), str(hung)
    assert created.status_code == 201
    assert "HARAKIRI" not in api.printed
