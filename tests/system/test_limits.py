"""Rate limits among the workers of a real uWSGI."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.processes.api import Api
from lab.processes.program import HOST, free_port
from lab.processes.system import REPOSITORY, System
from lab.waiting import eventually

QUOTA = 100


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


def four_workers(system: System) -> Api:
    """uWSGI as in production, but the number of workers does not depend on the machine."""
    port = free_port()
    api = system.start(
        Api,
        str(Path(sys.executable).parent / "uwsgi"),
        *("--ini", str(REPOSITORY / "productator/ops/uwsgi.ini"), "--virtualenv", sys.prefix),
        *("--http-socket", f"{HOST}:{port}", "--processes", "4"),
        port=port,
        environment=system.environment(),
    )
    eventually(lambda: api.answers("/livez"))
    return api


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
