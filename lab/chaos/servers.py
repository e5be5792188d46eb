"""Database servers that can be killed and started again."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lab.databases import PrivateMariadb, Server
from productator.database import migrate
from productator.database.engine import make_engine


class DatabaseServers(Protocol):
    """One server, or the nodes of a cluster, numbered from 0; neither killing nor starting waits."""

    @property
    def urls(self) -> Sequence[str]: ...
    def kill(self, number: int) -> None: ...
    def start(self, number: int) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class OwnMariadb:
    server: PrivateMariadb
    url: str

    @property
    def urls(self) -> Sequence[str]:
        return [self.url]

    def kill(self, _number: int) -> None:
        self.server.kill()

    def start(self, _number: int) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()


@contextmanager
def own_mariadb(folder: Path) -> Iterator[OwnMariadb]:
    """A server with an empty database of the newest schema."""
    server = PrivateMariadb(folder)
    server.start()
    try:
        server.wait_until_it_answers()
        url = Server(server.url).new()
        engine = make_engine(url)
        migrate.migrate(engine)
        engine.dispose()
        yield OwnMariadb(server, url)
    finally:
        server.stop()


@dataclass(frozen=True)
class CommandedServers:
    """Servers that shell commands kill and start; `{node}` in the commands is a server's number from 1."""

    urls: Sequence[str]
    kill_command: str
    start_command: str
    _starting: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kill(self, number: int) -> None:
        self.stop()
        subprocess.run(
            self.kill_command.format(node=number + 1), shell=True, check=True, stdout=subprocess.DEVNULL
        )

    def start(self, number: int) -> None:
        # A cluster refuses a node until it has noticed that the node was gone.
        command = f"until {self.start_command.format(node=number + 1)}; do sleep 1; done"
        self._starting.append(
            subprocess.Popen(command, shell=True, stdout=subprocess.DEVNULL, start_new_session=True)
        )

    def stop(self) -> None:
        """Waits for the start commands, which may run until the server answers."""
        while self._starting:
            self._starting.pop().wait()
