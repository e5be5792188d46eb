"""The servers that are compared: ours, ours behind the shipped proxy, and the peers of lab/peers/."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from lab.benchmarks.laboratory import processor_s
from lab.processes.api import Api
from lab.processes.program import HOST, free_port, parents_by_pid
from lab.processes.proxy import start_proxy
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually

WORKERS = os.cpu_count() or 1
_PEERS = REPOSITORY / ".venv-bench" / "bin"
_UWSGI = (
    "--master",
    "--lazy-apps",
    "--single-interpreter",
    "--need-app",
    "--disable-logging",
    "--die-on-term",
)


@dataclass(frozen=True)
class MeasuredServer:
    """Programs that answer together, such as a proxy and the API behind it; the first is asked."""

    name: str
    programs: tuple[Api, ...]

    @property
    def address(self) -> str:
        return self.programs[0].url("")

    @property
    def processor_s(self) -> float:
        """Of all its processes so far."""
        return sum(map(processor_s, self._pids()))

    @property
    def memory_mib(self) -> float:
        """A worker's share of its memory: what processes share is divided among them."""
        return sum(map(_memory_mib, self._pids())) / WORKERS

    def wait_until_idle(self) -> None:
        """Until all workers have loaded the application."""
        before = -1.0
        while (used := self.processor_s) - before > 0.02:
            before = used
            time.sleep(1)

    def _pids(self) -> list[int]:
        sessions = {program.pid for program in self.programs}
        return [pid for pid in parents_by_pid() if _session(pid) in sessions]


def ours(system: System) -> MeasuredServer:
    return MeasuredServer("ours", (system.api(),))


def ours_proxied(system: System) -> MeasuredServer:
    # As docker-compose sets them.
    api = system.api(PRODUCTATOR_TRUSTED_PROXIES="1", PRODUCTATOR_CACHE_S="1")
    return MeasuredServer("ours, through nginx", (start_proxy(system, api.port), api))


def peers(system: System) -> list[MeasuredServer]:
    if not _PEERS.is_dir():
        raise click.ClickException("The peers are not installed: run `make bench-tools`.")
    return [_peer(system, name, command) for name, command in PEERS.items()]


def _uwsgi(application: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        options = ["--http-socket", f"{HOST}:{port}", "--processes", str(WORKERS), "--module", application]
        # It closes connections, and would not tell.
        options += ["--add-header", "Connection: close"]
        return ["uwsgi", *_UWSGI, *options, "--virtualenv", str(_PEERS.parent)]

    return command


def _uvicorn(port: int) -> list[str]:
    options = ["--host", HOST, "--port", str(port), "--workers", str(WORKERS), "--no-access-log"]
    return ["uvicorn", "lab.peers.fastapi_async:app", *options]


def _gunicorn(port: int) -> list[str]:
    return ["gunicorn", "-w", str(WORKERS), "-b", f"{HOST}:{port}", "lab.peers.django_rest:application"]


BARE = "bare uWSGI"
PEERS: dict[str, Callable[[int], list[str]]] = {
    "Falcon, raw PyMySQL": _uwsgi("lab.peers.falcon_raw:make_app()"),
    "Flask-SQLAlchemy, jsonify": _uwsgi("lab.peers.flask_sqlalchemy:app"),
    "FastAPI, asyncmy": _uvicorn,
    "Django REST framework": _gunicorn,
    BARE: _uwsgi("lab.peers.bare:application"),
}


def _peer(system: System, name: str, command: Callable[[int], list[str]]) -> MeasuredServer:
    port = free_port()
    program, *options = command(port)
    environment = system.environment(PYTHONPATH=str(REPOSITORY))
    peer = system.start(Api, str(_PEERS / program), *options, port=port, environment=environment)

    def is_up() -> bool:
        assert peer.is_running, f"{name} ended at once: {peer.printed}"
        return peer.answers("/api/v1/products/1")

    eventually(is_up)
    return MeasuredServer(name, (peer,))


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None  # the process has ended since


def _memory_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
