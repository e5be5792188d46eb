"""Metrics and log of the real server: of all workers together, also when some are killed."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from lab.processes.api import Api
from lab.processes.program import HOST
from lab.processes.system import System
from lab.waiting import PATIENCE_S, eventually
from productator.ops.uwsgi_requests import AT_WORK

ROUTE = "/problems"
RESPAWNS = 6
# Counters, histograms, and gauges of two modes.
FILES_OF_A_WORKER = 4


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """On SQLite: these tests do not depend on the database. Metrics are kept in a folder of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    system = System(f"sqlite:///{tmp_path / 'products.db'}", tmp_path, {"TMPDIR": str(folder)})
    assert system.productator("migrate").end() == 0
    yield system
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left
    assert not list(folder.iterdir())


def counted(api: Api, route: str = ROUTE) -> float:
    return api.metric(f'productator_http_requests_total{{method="GET",route="{route}",status="200"}}')


def answered(api: Api, path: str = ROUTE) -> bool:
    try:
        return requests.get(api.url(path), timeout=PATIENCE_S).ok
    except requests.RequestException:  # its worker was killed
        return False


def test_the_counts_of_all_workers_add_up_and_survive_their_deaths(system: System, tmp_path: Path) -> None:
    api = system.api()
    workers = len(api.children)
    answers = 0
    _wait_for_starts(api, workers)
    with ThreadPoolExecutor(8) as clients:
        for respawn in range(RESPAWNS):
            answers += sum(clients.map(lambda _: answered(api), range(50)))
            # Between requests: one that is killed after it was counted would have no answer.
            before = api.children
            os.kill(min(before), signal.SIGKILL)
            eventually(_has_replaced(api, before))
            answers += sum(clients.map(lambda _: answered(api), range(50)))
            # uWSGI can miss the death of a worker that is still starting.
            _wait_for_starts(api, workers + respawn + 1)

    assert answers == RESPAWNS * 100
    assert counted(api) == answers
    assert api.metric("productator_http_requests_in_progress") == 1
    assert api.metric("productator_database_connections_limit") == (AT_WORK - 1) * workers
    files = list(tmp_path.glob("temporary/productator-metrics-*/*"))
    assert len(files) <= FILES_OF_A_WORKER * workers
    assert sum(file.stat().st_size for file in files) < 1024 * 1024


def _wait_for_starts(api: Api, starts: int) -> None:
    eventually(lambda: api.printed.count("WSGI app 0") >= starts)


def _started(api: Api) -> set[int]:
    """The workers that are ready: uWSGI can miss the death of one that is still starting."""
    printed = api.printed
    return {pid for pid in api.children if f"pid: {pid} (default app)" in printed}


def _blocks(pid: int, number: signal.Signals) -> bool:
    (blocked,) = re.findall(r"^SigBlk:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(blocked, 16) >> (number - 1) & 1)


def _has_replaced(api: Api, before: set[int]) -> Callable[[], bool]:
    def has_replaced() -> bool:
        """Another process has taken the place of the killed one."""
        return len(api.children) == len(before) and api.children != before

    return has_replaced


def test_no_request_counts_as_in_progress_for_ever_when_its_worker_is_killed_under_load(
    system: System,
) -> None:
    api = system.api()
    workers = len(api.children)
    with ThreadPoolExecutor(16) as clients:
        load = [clients.submit(answered, api, "/api/v1/products") for _ in range(400)]
        for _ in range(3):
            time.sleep(0.1)
            eventually(lambda: _started(api))
            os.kill(min(_started(api)), signal.SIGKILL)
        served = sum(each.result() for each in load)
    # The fixture's stop would miss a worker that uWSGI forks at that moment.
    eventually(lambda: len(_started(api)) == workers)
    eventually(lambda: api.metric("productator_http_requests_in_progress") == 1)

    assert 0 < served <= counted(api, "/api/v1/products") <= 400


def test_the_master_never_handles_the_signal_with_which_it_stops_workers(system: System) -> None:
    """A worker that has just been forked would handle it as its master does, go on, and never end."""
    api = system.api()
    workers = len(api.children)
    _wait_for_starts(api, workers)
    os.kill(min(api.children), signal.SIGKILL)
    _wait_for_starts(api, workers + 1)

    assert _blocks(api.pid, signal.SIGHUP)
    assert [_blocks(pid, signal.SIGHUP) for pid in api.children] == [False] * workers


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_that_a_client_sends_controls_the_terminal(system: System, log_format: str) -> None:
    api = system.api(LOG_FORMAT=log_format)
    for head in (
        b"GET /\x1b[31m HTTP/1.1",
        b"\x1b[31m",
        b"GET /%1b[31m HTTP/1.1",
        b"GET /x\xff\x1b[31m HTTP/9",
    ):
        with socket.create_connection((HOST, api.port), timeout=PATIENCE_S) as connection:
            connection.sendall(head + b"\r\nHost: x\r\n\r\n")
            connection.recv(1)
    assert api.stop() == 0

    assert "[31m" in api.printed
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", api.printed)


def test_every_line_of_the_server_is_json_where_that_is_wanted(system: System) -> None:
    api = system.api(LOG_FORMAT="json")
    answered(api, "/api/v1/products")
    workers = len(api.children)
    _wait_for_starts(api, workers)
    os.kill(min(api.children), signal.SIGKILL)
    # A stop in the moment in which uWSGI forks a worker would miss that worker.
    _wait_for_starts(api, workers + 1)
    assert api.stop() == 0

    lines = [json.loads(line) for line in api.printed.splitlines()]
    assert all(line.keys() >= {"time", "level", "event"} for line in lines)
    assert [line["path"] for line in lines if line["event"] == "request"].count("/api/v1/products") == 1
    assert {line["level"] for line in lines if "DAMN" in line["event"]} == {"warning"}


def test_the_log_of_requests_goes_on_without_the_process_that_reads_what_uwsgi_prints(system: System) -> None:
    api = system.api(LOG_FORMAT="json")
    (reader,) = [pid for pid, command in system.survivors().items() if "productator.ops.uwsgi_log" in command]
    os.kill(reader, signal.SIGKILL)

    assert answered(api)
    eventually(lambda: '"path": "/problems"' in api.printed)


def test_a_server_that_cannot_start_says_why(system: System) -> None:
    api = system.api()
    second = system.productator("serve", PORT=str(api.port))

    assert second.end() != 0
    eventually(lambda: "Address already in use" in second.printed)
