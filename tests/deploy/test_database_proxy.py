"""HAProxy's configuration in front of a cluster: it is valid, asks what it says, and avoids wrong nodes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pymysql
import pytest

from lab.databases import Missing, PrivateMariadb
from lab.processes import haproxy
from lab.processes.haproxy import Haproxy
from lab.processes.program import free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually
from tests.servers import skipped_if_missing

FOLDER = REPOSITORY / "deploy/database"
CLUSTERS = ("galera", "group-replication")
LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
SEND = "    tcp-check send-binary "


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_check_sends_the_question_that_its_comment_says(cluster: str) -> None:
    lines = (FOLDER / f"{cluster}.cfg").read_text().splitlines()
    asked = {
        line.removeprefix("    # "): bytes.fromhex(after.removeprefix(SEND))
        for line, after in pairwise(lines)
        if after.startswith(SEND) and "SELECT" in line
    }

    ((comment, packet),) = asked.items()
    # Length, number 0, command "query", the statement.
    assert packet == len(packet[4:]).to_bytes(3, "little") + b"\0\3" + comment.encode()


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_check_logs_in_as_its_comment_says(cluster: str) -> None:
    text = (FOLDER / f"{cluster}.cfg").read_text()
    found = re.search(
        r"Log in as `(\w+)`, without a password, by (\w+)\.\n +tcp-check send-binary (\w+)", text
    )
    assert found
    user, plugin, packet = found[1].encode(), found[2].encode(), bytes.fromhex(found[3])

    assert packet[4 + 32 :] == user + b"\0" + b"\0" + plugin + b"\0"
    assert packet[:4] == len(packet[4:]).to_bytes(3, "little") + b"\1"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_haproxy_takes_the_configuration(cluster: str) -> None:
    with skipped_if_missing():
        path = haproxy.installed()
    addresses = dict.fromkeys(("LISTEN", "NODE_1", "NODE_2", "NODE_3"), "127.0.0.1:3306")
    files = ["-f", str(FOLDER / "haproxy.cfg"), "-f", str(FOLDER / f"{cluster}.cfg")]

    checked = subprocess.run([path, "-c", *files], env=addresses, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


@pytest.fixture
def node(tmp_path: Path) -> Iterator[PrivateMariadb]:
    """A Galera cluster of one."""
    with skipped_if_missing():
        if not LIBRARY.exists() or shutil.which("mariadbd", path="/usr/sbin:/usr/bin") is None:
            raise Missing("galera", "Tests on Galera need Debian's mariadb-server and galera-4.")
    cluster = ["--wsrep-on=ON", f"--wsrep-provider={LIBRARY}", "--wsrep-cluster-address=gcomm://"]
    port = free_port()
    provider = f"--wsrep-provider-options=base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port}"
    here = ["--wsrep-node-address=127.0.0.1", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2"]
    server = PrivateMariadb(tmp_path, [*cluster, provider, *here])
    server.start()
    try:
        server.wait_until_it_answers()
        run(server.url, "CREATE USER haproxy@'localhost'")
        yield server
    finally:
        server.stop()


def run(url: str, statement: str) -> None:
    port = int(url.rpartition(":")[2])
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
        connection.cursor().execute(statement)


def leads_somewhere(proxy: Haproxy) -> bool:
    try:
        run(f"x:{proxy.port}", "SELECT 1")
    except pymysql.Error:
        return False
    return True


def test_connections_go_to_the_node_that_is_up_only_while_it_is_synced(
    node: PrivateMariadb, tmp_path: Path
) -> None:
    away = [f"mysql+pymysql://root@127.0.0.1:{free_port()}" for _ in range(2)]
    system = System(node.url, tmp_path)
    try:
        with skipped_if_missing():
            proxy = haproxy.start(system, "galera", [*away, node.url])
        eventually(lambda: leads_somewhere(proxy))
        run(node.url, "SET GLOBAL wsrep_desync = ON")
        eventually(lambda: not leads_somewhere(proxy))
        run(node.url, "SET GLOBAL wsrep_desync = OFF")
        eventually(lambda: leads_somewhere(proxy))
    finally:
        system.stop_all()
