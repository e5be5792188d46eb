"""Whether memory, files and connections of every program stay flat under load."""

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from lab.processes.api import Api
from lab.processes.program import Program

_CLIENTS = 8
_MIB = 1024 * 1024
# The refresher keeps as many connections to the Offers service as its calls take at a time.
_FILES_DIFFER = 32


class Usage(NamedTuple):
    """What a process uses at a moment."""

    seconds: float
    # Of its own: code and other files that are mapped do not count.
    memory_bytes: int
    # Open files, connections included.
    files: int
    connections: int


@dataclass(frozen=True)
class Trend:
    """The usage of one process, from the start of the load to its end."""

    name: str
    usages: Sequence[Usage]

    @property
    def growth_bytes_a_minute(self) -> float:
        """Between the third quarter and the last: the first half of the time is for warming up."""
        third, last = self._quarter(2), self._quarter(3)
        apart_s = statistics.mean(each.seconds for each in last) - statistics.mean(
            each.seconds for each in third
        )
        growth = statistics.mean(each.memory_bytes for each in last) - statistics.mean(
            each.memory_bytes for each in third
        )
        return 60 * growth / apart_s

    @property
    def watched_s(self) -> float:
        return self.usages[-1].seconds - self.usages[0].seconds

    @property
    def more_files(self) -> int:
        """How many more files were open in the last quarter than in the second, at the least."""
        return min(each.files for each in self._quarter(3)) - min(each.files for each in self._quarter(1))

    def is_flat(self, *, most_bytes_a_minute: float) -> bool:
        return self.growth_bytes_a_minute <= most_bytes_a_minute and self.more_files <= _FILES_DIFFER

    def _quarter(self, number: int) -> Sequence[Usage]:
        size = len(self.usages) // 4
        return self.usages[number * size : (number + 1) * size]

    def __str__(self) -> str:
        steps = [self.usages[index * (len(self.usages) - 1) // 8] for index in range(9)]
        memory = " ".join(f"{each.memory_bytes / _MIB:.1f}" for each in steps)
        last = self.usages[-1]
        kib_a_minute = self.growth_bytes_a_minute / 1024
        return (
            f"{self.name:22} {self.watched_s / 60:.0f} minutes: memory {memory} MiB, {kib_a_minute:+.0f} KiB"
            f" a minute at the end; {last.files} files ({self.more_files:+d}), {last.connections} connections"
        )


def watch_under_load(
    api: Api, programs: Sequence[Program], *, for_s: float, a_second: float, every_s: float
) -> list[Trend]:
    """Sends requests of all kinds for so long, and looks at every process of the programs meanwhile."""
    usages: Mapping[str, list[Usage]] = defaultdict(list)
    began = time.monotonic()
    look_at = began
    chance = random.Random(1)
    with ThreadPoolExecutor(_CLIENTS) as clients:
        number = 0
        while (elapsed := time.monotonic() - began) < for_s:
            if time.monotonic() >= look_at:
                look_at += every_s
                for name, pid in _processes(programs):
                    usages[name].append(_usage(pid, elapsed))
            clients.submit(chance.choice(_REQUESTS), api, chance)
            number += 1
            time.sleep(max(0.0, began + number / a_second - time.monotonic()))
    return [Trend(name, found) for name, found in usages.items() if len(found) >= 8]


def growing(trends: Sequence[Trend], *, for_s: float, most_bytes_a_minute: float) -> list[Trend]:
    """Those that are not flat, of the processes that were there for more than half of the time.

    uWSGI replaces a worker after 100,000 requests, and the new one grows until it is warm.
    """
    old = [each for each in trends if each.watched_s > for_s / 2]
    return [each for each in old if not each.is_flat(most_bytes_a_minute=most_bytes_a_minute)]


def _processes(programs: Sequence[Program]) -> list[tuple[str, int]]:
    found = []
    for program in programs:
        children = sorted(program.children)
        found.append((program.name, program.pid))
        # A worker that was started again has another id, and begins another line.
        found += [(f"{program.name} worker {pid}", pid) for pid in children]
    return found


def _usage(pid: int, elapsed_s: float) -> Usage:
    status = Path(f"/proc/{pid}/status").read_text()
    anonymous = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(each.readlink()))
        except FileNotFoundError:
            continue  # it was closed since
    sockets = sum(link.startswith("socket:") for link in links)
    return Usage(elapsed_s, int(anonymous.split()[1]) * 1024, len(links), sockets)


def _list(api: Api, chance: random.Random) -> None:
    api.request("GET", f"/products?limit={chance.randint(1, 200)}")


def _search(api: Api, chance: random.Random) -> None:
    api.request("GET", f"/products?q=product {chance.randint(1, 100)}&sort=name")


def _read(api: Api, chance: random.Random) -> None:
    number = chance.randint(1, 400)
    for path in ("", "/offers", "/price-history", "/price-history?resolution=hour", "/nothing"):
        api.request("GET", f"/products/{number}{path}")


def _write(api: Api, chance: random.Random) -> None:
    # A name that was never seen before, for what keeps something for each name.
    created = api.request(
        "POST",
        "/products",
        json={"name": f"Soaked {uuid4().hex}"},
        headers={"Idempotency-Key": str(uuid4())},
    )
    path = f"/products/{created.json()['id']}"
    api.request("POST", f"{path}/offers", json={"price": chance.randint(1, 1000), "items_in_stock": 1})
    api.request("PATCH", path, json={"description": uuid4().hex})
    api.request("POST", f"{path}/offers", json={"price": -1})
    api.request("DELETE", path, headers={"If-Match": '"0"'})
    api.request("DELETE", path)


def _mistake(api: Api, _chance: random.Random) -> None:
    api.request("GET", f"/{uuid4().hex}")
    api.request("GET", f"/products?cursor={uuid4().hex}")
    api.request("GET", "/products", headers={"Authorization": f"Bearer {uuid4().hex}"})


_REQUESTS: Sequence[Callable[[Api, random.Random], None]] = (_list, _search, _read, _write, _mistake)
