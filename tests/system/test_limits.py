"""Rate limits among the workers of a real uWSGI."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from lab.processes.api import Api
from lab.processes.program import HOST, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually

QUOTA = 100
INI = REPOSITORY / "productator/ops/uwsgi.ini"


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("limits")
    system = System(
        f"sqlite:///{folder / 'products.db'}", folder, {"PRODUCTATOR_RATE_LIMIT": f"{QUOTA}/3600"}
    )
    assert system.productator("migrate").end() == 0
    yield four_workers(system)
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


def four_workers(system: System, ini: Path = INI) -> Api:
    """uWSGI as in production, but the number of workers does not depend on the machine."""
    port = free_port()
    api = system.start(
        Api,
        str(Path(sys.executable).parent / "uwsgi"),
        *("--ini", str(ini), "--virtualenv", sys.prefix),
        *("--http-socket", f"{HOST}:{port}", "--processes", "4"),
        port=port,
        environment=system.environment(),
    )
    eventually(lambda: api.answers("/livez"))
    return api


@pytest.fixture
def small_api(tmp_path: Path) -> Iterator[Api]:
    """Has room for the counts of 40 callers; takes their addresses from a proxy."""
    settings = {"PRODUCTATOR_RATE_LIMIT": "3/3600", "PRODUCTATOR_TRUSTED_PROXIES": "1"}
    system = System(f"sqlite:///{tmp_path / 'products.db'}", tmp_path, settings)
    assert system.productator("migrate").end() == 0
    ini = tmp_path / "uwsgi.ini"
    shipped = INI.read_text(encoding="utf-8")
    ini.write_text(shipped.replace("items=20000", "items=40"), encoding="utf-8")
    assert ini.read_text(encoding="utf-8") != shipped
    yield four_workers(system, ini)
    left = system.stop_all()
    print(system.report())  # noqa: T201 - pytest shows it with a failure
    assert not left


def status_for(api: Api, address: str) -> int:
    return requests.get(api.url("/problems"), headers={"X-Forwarded-For": address}, timeout=10).status_code


def test_more_callers_than_there_is_room_for_are_limited_all_the_same(small_api: Api) -> None:
    for number in range(100):
        assert status_for(small_api, f"198.51.100.{number}") == 200
        # One that goes on sending keeps its count.
        assert status_for(small_api, "192.0.2.1") == (200 if number < 3 else 429)

    assert [status_for(small_api, "203.0.113.1") for _ in range(5)] == [200, 200, 200, 429, 429]


def statuses(api: Api, count: int) -> Counter[int]:
    with ThreadPoolExecutor(8) as executor:
        return Counter(executor.map(lambda _: api.request("GET", "/products").status_code, range(count)))


def test_all_workers_together_let_exactly_the_quota_pass(api: Api) -> None:
    assert statuses(api, 3 * QUOTA) == {200: QUOTA, 429: 2 * QUOTA}


def test_the_counts_of_killed_workers_remain(api: Api) -> None:
    assert statuses(api, QUOTA - 10) == {200: QUOTA - 10}
    workers = api.children

    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: len(api.children) == len(workers) and not api.children & workers)

    assert statuses(api, 30) == {200: 10, 429: 20}
