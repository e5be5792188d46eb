"""Many writers on few products: each reads a counter, adds one, and writes it with `If-Match`."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lab.processes.api import Api
from lab.proofs.wire import HttpAnswer, exchange


@dataclass(frozen=True)
class WritersResult:
    acknowledged: int
    # Refused with 412 because another writer was faster, and repeated.
    conflicts: int
    # The sum of the counters in the end.
    counted: int
    # How many different versions the acknowledgements name.
    versions: int
    # Any other answers, by status.
    others: Counter[int]
    seconds: float

    @property
    def is_as_promised(self) -> bool:
        return self.acknowledged == self.counted == self.versions and not self.others


@dataclass
class _WriterLog:
    versions: list[tuple[int, str]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def write_concurrently(api: Api, *, writers: int, writes: int, products: int) -> WritersResult:
    """`writes` is the number of acknowledged writes of all writers together."""
    began = time.monotonic()
    ids = [exchange(api, "POST", "/products", _product(0)).json["id"] for _ in range(products)]
    shares = [writes // writers + (number < writes % writers) for number in range(writers)]
    with ThreadPoolExecutor(writers) as threads:
        logs = list(threads.map(lambda number: _write(api, ids, shares[number], seed=number), range(writers)))
    statuses = sum((log.statuses for log in logs), Counter[int]())
    return WritersResult(
        acknowledged=statuses.pop(200, 0),
        conflicts=statuses.pop(412, 0),
        counted=sum(_counter(exchange(api, "GET", f"/products/{each}")) for each in ids),
        versions=len({version for log in logs for version in log.versions}),
        others=statuses,
        seconds=time.monotonic() - began,
    )


def _write(api: Api, ids: list[int], share: int, *, seed: int) -> _WriterLog:
    chance = random.Random(seed)
    log = _WriterLog()
    while log.statuses[200] < share:
        product_id = chance.choice(ids)
        path = f"/products/{product_id}"
        read = exchange(api, "GET", path)
        answer = exchange(api, "PATCH", path, _product(_counter(read) + 1), If_Match=read.headers["ETag"])
        log.statuses[answer.status] += 1
        if answer.status == 200:
            log.versions.append((product_id, answer.headers["ETag"]))
    return log


def _product(counter: int) -> dict[str, str]:
    return {"name": "Counter", "description": str(counter)}


def _counter(answer: HttpAnswer) -> int:
    return int(answer.json["description"])
