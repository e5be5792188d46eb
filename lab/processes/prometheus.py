"""Prometheus as a process, which scrapes the programs of a system."""

import shutil
from typing import Any

import requests
import yaml

from lab.databases import Missing
from lab.processes.api import Api
from lab.processes.notifier import Notifier
from lab.processes.program import HOST, Program, free_port
from lab.processes.refresher import Refresher
from lab.processes.system import System
from lab.waiting import PATIENCE_S, eventually

_JOBS: dict[str, type[Program]] = {
    "productator-api": Api,
    "productator-refresher": Refresher,
    "productator-notifier": Notifier,
}


class Prometheus(Program):
    """Debian's server."""

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API."""
        answer = requests.get(self.url(f"/api/v1/{path}"), params=parameters, timeout=PATIENCE_S).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """What the expression is now: one item for each series."""
        found: list[Any] = self.get("query", query=expression)["result"]
        return found


def installed(program: str) -> str:
    """The path of a program of Debian's package `prometheus`."""
    if (path := shutil.which(program)) is None:
        raise Missing("prometheus", f"{program} is not installed: `apt-get install prometheus`.")
    return path


def start(system: System, rules: dict[str, Any]) -> Prometheus:
    """Starts a server that scrapes each program that runs now, and waits until it has done so."""
    path, port = installed("prometheus"), free_port()
    (system.folder / "rules.yml").write_text(yaml.safe_dump(rules))
    targets = {
        job: [f"{HOST}:{each.port}" for each in system.programs if isinstance(each, kind) and each.is_running]
        for job, kind in _JOBS.items()
    }
    scraped = [{"job_name": job, "static_configs": [{"targets": found}]} for job, found in targets.items()]
    times = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": times, "rule_files": ["rules.yml"], "scrape_configs": scraped}
    (system.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    prometheus = system.start(
        Prometheus,
        path,
        f"--config.file={system.folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={system.folder / 'prometheus'}",
        f"--web.listen-address={HOST}:{port}",
        port=port,
        environment=system.environment(),
    )
    eventually(lambda: prometheus.answers("/-/ready"))
    eventually(lambda: len(prometheus.query("up")) == sum(len(found) for found in targets.values()))
    return prometheus
