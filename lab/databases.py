"""The databases that tests run on: SQLite files, and databases of our own on MariaDB and MySQL servers.

A server's address, of a user who may create databases, stands in TEST_MARIADB_URL or TEST_MYSQL_URL.
Without the former a private MariaDB is started from the programs found on this machine.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

import pymysql
from sqlalchemy import NullPool, create_engine, make_url, text

NAMES = ("sqlite", "mariadb", "mysql")
# "1", or the names of databases: without them, tests fail instead of being skipped.
REQUIRE_ALL = "TESTS_REQUIRE_ALL"

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30


class Missing(Exception):
    """A database that is not installed; the message says how to enable its tests."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name

    @property
    def is_required(self) -> bool:
        required = os.environ.get(REQUIRE_ALL, "")
        return required == "1" or self.name in required.split(",")


class Databases(Protocol):
    """Where new, empty databases come from."""

    def new(self) -> str:
        """The address of a database that nobody else uses."""

    def drop_all(self) -> None:
        """Removes everything that `new` made."""


@dataclass(frozen=True)
class SqliteFiles:
    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def new(self) -> str:
        file = self.folder / f"{next(self._numbers)}.db"
        file.touch()
        return f"sqlite:///{file}"

    def drop_all(self) -> None:
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Server:
    url: str
    # Else it takes its databases with it, and none has to be dropped, which takes seconds.
    outlives_tests: bool = True
    _names: list[str] = field(default_factory=list)

    def new(self) -> str:
        # The process id keeps test runs apart that share a server.
        name = f"productator_test_{os.getpid()}_{len(self._names)}"
        self._run(f"CREATE DATABASE {name}")
        self._names.append(name)
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop_all(self) -> None:
        while self._names and self.outlives_tests:
            self._run(f"DROP DATABASE {self._names.pop()}")

    def _run(self, statement: str) -> None:
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))


def best() -> str:
    """The name of the database that is here and nearest to production."""
    if os.environ.get("TEST_MYSQL_URL"):
        return "mysql"
    with suppress(Missing):
        return "mariadb" if os.environ.get("TEST_MARIADB_URL") or _program("mariadbd") else "sqlite"
    return "sqlite"


@contextmanager
def new_on_the_best() -> Iterator[str]:
    """The address of a database that lives as long as this context."""
    name = best()
    with ExitStack() as running:
        databases: Databases
        if name == "mysql":
            databases = Server(mysql_url())
        elif name == "mariadb":
            databases = Server(running.enter_context(mariadb_url()))
        else:
            databases = SqliteFiles(Path(tempfile.mkdtemp(prefix="productator-")))
        running.callback(databases.drop_all)
        yield databases.new()


@contextmanager
def mariadb_url(*options: str) -> Iterator[str]:
    """The address of the given MariaDB server, or of one with these options, gone with the context."""
    given = os.environ.get("TEST_MARIADB_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="productator-mariadb-") as folder:
        yield from _private_mariadb(Path(folder), options)


def mysql_url() -> str:
    given = os.environ.get("TEST_MYSQL_URL")
    if not given:
        raise Missing(
            "mysql",
            "Tests on MySQL need TEST_MYSQL_URL, such as mysql+pymysql://root:root@127.0.0.1:3306/test.",
        )
    return given


class PrivateMariadb:
    """A server of our own; killed and started again, it goes on with the same data at the same address."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        port = _free_port()
        self.url = f"mysql+pymysql://root@127.0.0.1:{port}"
        self._port = port
        self._data = folder / "data"
        # A starting server removes the temporary files of any other that it shares a folder with.
        self._environment = os.environ | {"TMPDIR": str(folder)}
        self._log = folder / "log"
        # It runs as the user who runs the tests. As root it starts only with this option.
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        self._shared = ["--no-defaults", f"--datadir={self._data}", *as_root]
        self._command = [
            _program("mariadbd"),
            *self._shared,
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            "--max-connections=300",
            *options,
        ]
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Does not wait until it answers."""
        if not self._data.exists():
            _install(self._shared, self._environment)
        with self._log.open("ab") as output:
            self._server = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output
            )

    def wait_until_it_answers(self) -> None:
        assert self._server is not None
        _wait_until_it_answers(self._server, self._port, self._log)

    def kill(self) -> None:
        """As a power cut would end it."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def pause(self) -> None:
        """Makes it hang: it accepts connections and answers nothing."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._server is not None and self._server.poll() is None:
            _stop(self._server)


def _private_mariadb(folder: Path, options: Sequence[str]) -> Iterator[str]:
    server = PrivateMariadb(folder, options)
    server.start()
    try:
        server.wait_until_it_answers()
        yield server.url
    finally:
        server.stop()


def _install(shared: list[str], environment: dict[str, str]) -> None:
    arguments = [_program("mariadb-install-db"), *shared]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(
        [*arguments, *options], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")


def _program(name: str) -> str:
    # Debian keeps servers where only root's PATH leads.
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is None:
        raise Missing(
            "mariadb", f"Tests on MariaDB need {name} (of mariadb-server) on the PATH, or TEST_MARIADB_URL."
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="root").close()
        except pymysql.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start: {log.read_text()}") from None
            time.sleep(0.1)
        else:
            return


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
