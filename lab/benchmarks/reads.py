"""What the most common reads cost a worker, beside the same reads with Falcon and PyMySQL alone.

    python -m lab.benchmarks.reads [--falcon PYTHON] [--rounds 5] [--seconds 5]

`--falcon` names the Python of an environment that has falcon, pymysql and uwsgi; without it only ours is
measured. The figure is the processor time of all workers over the requests that they served, in microseconds.
What else the machine does changes it, so the servers are asked in turns: their ratio counts.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from uuid import uuid4

import click
from sqlalchemy import Engine, insert

from lab import databases
from lab.benchmarks.laboratory import processor_s
from lab.processes.api import Api
from lab.processes.program import HOST, Program, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually
from productator.database import migrate
from productator.database.engine import make_engine
from productator.domain import utc_now
from productator.models import Offer, Product, Refresh

_PRODUCTS = 1_000
_OFFERS = 10
_PATHS = {
    "product": '"/api/v1/products/" .. product',
    "offers": '"/api/v1/products/" .. product .. "/offers"',
    "offer": f'"/api/v1/products/" .. product .. "/offers/" .. product * {_OFFERS}',
}


@click.command()
@click.option("--falcon", help="The Python of an environment with Falcon.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=5, show_default=True, help="How long each server is asked in a round.")
def main(falcon: str | None, rounds: int, seconds: int) -> None:
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        url = databases.Server(running.enter_context(databases.mariadb_url())).new()
        engine = make_engine(url)
        fill(engine)
        engine.dispose()
        system = System(url, folder)
        running.callback(system.stop_all)
        servers: dict[str, Program] = {"ours": system.api()}
        if falcon is not None:
            servers["falcon"] = running.enter_context(_peer(system, falcon))
        for server in servers.values():
            _wait_until_idle(server)
        for name, path in _PATHS.items():
            script = folder / f"{name}.lua"
            script.write_text(_script(path))
            found: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(rounds):
                for server_name, server in servers.items():
                    found[server_name].append(microseconds_a_request(server, script, seconds))
            print(name, {each: [round(figure) for figure in figures] for each, figures in found.items()})
            print(name, {each: round(median(figures)) for each, figures in found.items()}, flush=True)


def fill(engine: Engine) -> None:
    """Products that are registered and fresh, with ten external offers each."""
    migrate.migrate(engine)
    now = utc_now()
    times = {"created_at": now, "updated_at": now}
    text = "About as much text as a product commonly has. " * 3
    ids = range(1, _PRODUCTS + 1)
    with engine.begin() as connection:
        connection.execute(
            insert(Product),
            [
                {"id": each, "name": f"Product {each}", "description": text, "remote_id": str(uuid4())}
                | {"version": 1, "registered_at": now, **times}
                for each in ids
            ],
        )
        due = {"due_at": now + timedelta(days=100), "refreshed_at": now}
        connection.execute(insert(Refresh), [{"product_id": each, **due} for each in ids])
        connection.execute(
            insert(Offer),
            [
                {"id": (each - 1) * _OFFERS + number + 1, "product_id": each, "remote_id": str(uuid4())}
                | {"price": 1000 + number, "items_in_stock": number, "version": 1, **times}
                for each in ids
                for number in range(_OFFERS)
            ],
        )


@contextmanager
def _peer(system: System, python: str) -> Iterator[Program]:
    port = free_port()
    command = [str(Path(python).parent / "uwsgi"), "--http-socket", f"{HOST}:{port}", "--master"]
    command += ["--processes", str(os.cpu_count()), "--lazy-apps", "--single-interpreter", "--need-app"]
    command += ["--module", "lab.peers.falcon_raw:make_app()", "--virtualenv", str(Path(python).parents[1])]
    environment = system.environment(PYTHONPATH=str(REPOSITORY))
    peer = system.start(
        Api, *command, "--disable-logging", "--die-on-term", port=port, environment=environment
    )

    def is_up() -> bool:
        """Falcon answers."""
        return peer.answers("/api/v1/products/1")

    eventually(is_up)
    yield peer


def _wait_until_idle(server: Program) -> None:
    """Until all workers have loaded the application."""
    before = -1.0
    while (used := _processor_s(server)) - before > 0.02:
        before = used
        time.sleep(1)


def microseconds_a_request(server: Program, script: Path, seconds: int) -> float:
    before = _processor_s(server)
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(script), server.url("")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = _processor_s(server) - before
    assert "Non-2xx" not in printed, printed
    requests = re.search(r"(\d+) requests in", printed)
    assert requests is not None
    return used / int(requests[1]) * 1_000_000


def _processor_s(server: Program) -> float:
    return sum(processor_s(pid) for pid in server.children)


def _script(path: str) -> str:
    return (
        "math.randomseed(os.time())\n"
        f"request = function() local product = math.random(1, {_PRODUCTS})\n"
        f'  return wrk.format("GET", {path}) end\n'
    )


if __name__ == "__main__":
    main()
