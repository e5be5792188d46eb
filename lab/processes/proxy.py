"""The shipped proxy: a real nginx with the configuration of deploy/proxy."""

import socket

from lab.processes.api import Api
from lab.processes.program import HOST, Program, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually


def start_proxy(system: System, name: str, api_port: int, **variables: str) -> Api:
    """nginx, called like the API behind it; it keeps its files in the folder `name`."""
    run = system.folder / name
    port = free_port()
    environment = system.environment(
        PROXY_RUN=str(run), PROXY_PORT=str(port), API_ADDRESS=f"{HOST}:{api_port}", **variables
    )
    start = str(REPOSITORY / "deploy" / "proxy" / "start.sh")
    proxy = system.start(Api, "sh", start, port=port, environment=environment)
    eventually(lambda: listens(proxy))
    return proxy


def listens(program: Program) -> bool:
    assert program.is_running, program.printed
    with socket.socket() as probe:
        return probe.connect_ex((HOST, program.port)) == 0
