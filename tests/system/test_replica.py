"""Two APIs with several workers each, and a replica that is always two seconds behind."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.processes.api import Api
from lab.processes.system import System
from lab.replication import replicated_mariadb
from lab.waiting import eventually
from productator.database import migrate
from productator.database.engine import make_engine
from tests.servers import skipped_if_missing

BEHIND_S = 2
MOST_LAG_S = 8
WRITERS = 4
REPLICA_READS = 'productator_replica_reads_total{outcome="replica"}'


@pytest.fixture
def apis(tmp_path: Path) -> Iterator[list[Api]]:
    with skipped_if_missing(), replicated_mariadb(tmp_path) as servers:
        engine = make_engine(servers.primary_url)
        migrate.migrate(engine)
        engine.dispose()
        servers.delay(BEHIND_S)
        system = System(servers.primary_url, tmp_path)
        system.variables |= {
            "DATABASE_REPLICA_URL": servers.replica_url,
            "DATABASE_REPLICA_LAG_S": str(MOST_LAG_S),
        }
        try:
            yield [system.api() for _ in range(2)]
        finally:
            system.stop_all()


@dataclass
class Seen:
    """What one writer and anonymous readers of its product saw."""

    own_writes_missed: int = 0
    # When each value was acknowledged.
    written: dict[int, float] = field(default_factory=dict)
    # When a reader began to ask, and the value it got.
    read: list[tuple[float, int]] = field(default_factory=list)

    def is_too_old(self, asked_at: float, value: int) -> bool:
        """Whether a newer value was acknowledged longer ago than a replica may be behind."""
        newer = self.written.get(value + 1)
        return newer is not None and newer < asked_at - MOST_LAG_S


def write_and_read(apis: Sequence[Api], number: int) -> Seen:
    chance, seen = random.Random(number), Seen()
    token = apis[0].request("POST", "/tokens", json={"name": f"w{number}", "scopes": ["write"]})
    headers = {"Authorization": f"Bearer {token.json()['secret']}"}
    path = f"/products/{apis[0].create_product(description='0')['id']}"
    for value in range(1, 80):
        changed = {"description": str(value)}
        answer = chance.choice(apis).request("PATCH", path, json=changed, headers=headers)
        assert answer.status_code == 200, answer.text
        seen.written[value] = time.monotonic()
        own = chance.choice(apis).request("GET", path, headers=headers)
        seen.own_writes_missed += own.json().get("description") != str(value)
        asked_at = time.monotonic()
        others = chance.choice(apis).request("GET", path, headers={"Authorization": None})
        if others.status_code == 200:  # the replica has the product
            seen.read.append((asked_at, int(others.json()["description"])))
        time.sleep(chance.uniform(0, 0.05))
    return seen


def test_every_writer_reads_its_writes_and_nobody_reads_anything_too_old(apis: list[Api]) -> None:
    def is_read() -> bool:
        for api in apis:
            api.request("GET", "/products", headers={"Authorization": None})
        return all(api.metric(REPLICA_READS) > 1 for api in apis)

    eventually(is_read)

    with ThreadPoolExecutor(WRITERS) as writers:
        seen = list(writers.map(lambda number: write_and_read(apis, number), range(WRITERS)))

    behind = [read for each in seen for read in each.read if read[1] < max(each.written)]
    assert behind
    assert sum(each.own_writes_missed for each in seen) == 0
    assert [read for each in seen for read in each.read if each.is_too_old(*read)] == []
    assert sum(api.metric(REPLICA_READS) for api in apis) > WRITERS * 50
