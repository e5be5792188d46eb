"""The proxy as a process: Debian's nginx with the configuration of deploy/proxy."""

import atexit
import shutil
import socket
import tempfile
from pathlib import Path

from lab.processes.api import Api
from lab.processes.program import HOST, Program, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually


def start_proxy(system: System, *api_ports: int, **variables: str) -> Api:
    """nginx before the APIs at these ports; it is called like them."""
    port = free_port()
    environment = system.environment(
        PROXY_RUN=str(_folder_for_nobody()),
        PROXY_PORT=str(port),
        API_ADDRESS=" ".join(f"{HOST}:{api_port}" for api_port in api_ports),
        **variables,
    )
    start = str(REPOSITORY / "deploy" / "proxy" / "start.sh")
    proxy = system.start(Api, "sh", start, port=port, environment=environment)
    eventually(lambda: _listens(proxy))
    return proxy


def _folder_for_nobody() -> Path:
    """That user, whom root's nginx works as, may not enter the system's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="productator-proxy-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _listens(program: Program) -> bool:
    assert program.is_running, program.printed
    with socket.socket() as probe:
        return probe.connect_ex((HOST, program.port)) == 0
