"""HAProxy as a process, with the configuration that deploy/database has for a cluster of three servers."""

import shutil
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import make_url

from lab.databases import Missing
from lab.processes.program import HOST, Program, free_port
from lab.processes.system import REPOSITORY, System

ClusterKind = Literal["galera", "group-replication"]
_FOLDER = REPOSITORY / "deploy/database"


class Haproxy(Program):
    """One listener; all connections go to one node at a time."""

    def address(self, node: str) -> str:
        """The address of a database behind it, which is `node` without it."""
        url = make_url(node).set(host=HOST, port=self.port)
        return url.render_as_string(hide_password=False)


def installed() -> str:
    """The path of the program."""
    if (path := shutil.which("haproxy", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")) is None:
        raise Missing("haproxy", "HAProxy is not installed: `apt-get install haproxy`.")
    return path


def start(system: System, kind: ClusterKind, nodes: Sequence[str]) -> Haproxy:
    """Prefers the first node; does not wait."""
    path, port = installed(), free_port()
    urls = [make_url(each) for each in nodes]
    addresses = {f"NODE_{number}": f"{url.host}:{url.port}" for number, url in enumerate(urls, start=1)}
    files = ["-f", str(_FOLDER / "haproxy.cfg"), "-f", str(_FOLDER / f"{kind}.cfg")]
    environment = system.environment(LISTEN=f"{HOST}:{port}", **addresses)
    return system.start(Haproxy, path, *files, port=port, environment=environment)
