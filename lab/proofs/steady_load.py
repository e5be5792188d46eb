"""Requests at a steady rate to an address, while somebody restarts what is behind it."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

import requests

from lab.waiting import PATIENCE_S

_SENDERS = 64
_EACH_WRITES = 3


@dataclass
class LoadResult:
    statuses: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0

    @property
    def failed(self) -> int:
        return sum(number for status, number in self.statuses.items() if not status.startswith("2"))

    @property
    def sent(self) -> int:
        return self.statuses.total()

    def __str__(self) -> str:
        answers = dict(self.statuses)
        return f"{self.failed} of {self.sent} failed, the longest took {self.longest_s:.2f} s: {answers}"


def send_steadily(address: str, token: str, *, per_s: float, for_s: float) -> LoadResult:
    """Every third request creates a product, the others read lists; each has a connection of its own."""
    result = LoadResult()
    began = time.monotonic()
    with ThreadPoolExecutor(_SENDERS) as senders:
        for number in count():
            due = began + number / per_s
            if due > began + for_s:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            senders.submit(_send, address, token, number, result)
    return result


def _send(address: str, token: str, number: int, result: LoadResult) -> None:
    began = time.monotonic()
    url = f"{address}/api/v1/products"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        if number % _EACH_WRITES:
            answer = requests.get(f"{url}?limit=10", headers=headers, timeout=PATIENCE_S)
        else:
            product = {"name": f"Load {number}"}
            answer = requests.post(url, json=product, headers=headers, timeout=PATIENCE_S)
        status = str(answer.status_code)
    except requests.RequestException as error:
        status = type(error).__name__
    result.statuses[status] += 1
    result.longest_s = max(result.longest_s, time.monotonic() - began)
