"""A MariaDB with a replica, both private, whose replication can be held up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from lab.databases import PrivateMariadb, Server
from lab.waiting import eventually

_USER = "CREATE USER replication@'127.0.0.1' IDENTIFIED BY 'replication'"
_RIGHT = "GRANT REPLICATION SLAVE ON *.* TO replication@'127.0.0.1'"


@dataclass(frozen=True)
class ReplicatedMariadb:
    primary: PrivateMariadb
    replica: PrivateMariadb
    # A database without a schema, as it is on each of them.
    primary_url: str
    replica_url: str

    def hold_up(self) -> None:
        """The replica still receives what the primary writes, and applies none of it."""
        self._run("STOP SLAVE SQL_THREAD")

    def go_on(self) -> None:
        self._run("START SLAVE SQL_THREAD")

    def delay(self, seconds: int) -> None:
        """From now on it applies every transaction so long after its commit."""
        self._run("STOP SLAVE", f"CHANGE MASTER TO MASTER_DELAY = {seconds}", "START SLAVE")

    def _run(self, *statements: str) -> None:
        _run(self.replica.url, *statements)


@contextmanager
def replicated_mariadb(folder: Path) -> Iterator[ReplicatedMariadb]:
    servers = []
    try:
        for number in (1, 2):
            # The replica is left writable: nothing but the API itself keeps the API from writing there.
            options = ["--log-bin=binlog", f"--server-id={number}", "--gtid-strict-mode=ON"]
            home = folder / f"server{number}"
            home.mkdir()
            servers.append(PrivateMariadb(home, options))
            servers[-1].start()
        for server in servers:
            server.wait_until_it_answers()
        yield _replicated(*servers)
    finally:
        for server in servers:
            server.stop()


def _replicated(primary: PrivateMariadb, replica: PrivateMariadb) -> ReplicatedMariadb:
    master = f"MASTER_HOST = '127.0.0.1', MASTER_PORT = {make_url(primary.url).port}"
    login = "MASTER_USER = 'replication', MASTER_PASSWORD = 'replication', MASTER_CONNECT_RETRY = 1"
    _run(primary.url, _USER, _RIGHT)
    _run(replica.url, f"CHANGE MASTER TO {master}, {login}, MASTER_USE_GTID = slave_pos", "START SLAVE")
    primary_url = Server(primary.url).new()
    replica_url = make_url(replica.url).set(database=make_url(primary_url).database)
    found = ReplicatedMariadb(
        primary, replica, primary_url, replica_url.render_as_string(hide_password=False)
    )
    eventually(lambda: _has_database(replica.url, str(replica_url.database)))
    return found


def _has_database(url: str, name: str) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return name in set(connection.scalars(text("SHOW DATABASES")))


def _run(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
