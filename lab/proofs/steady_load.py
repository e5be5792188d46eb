"""Requests at a steady rate to an address, while somebody restarts what is behind it."""

import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from threading import Event
from typing import Any

import requests

from lab.waiting import PATIENCE_S
from productator.errors import DatabaseUnavailable

_SENDERS = 64
BUSY = "busy"


@dataclass
class LoadResult:
    """The answers, by method and status; in place of a status, the name of the error of a lost one.

    `busy`: the API waited too long for its database, which a restart is not the cause of.
    """

    answers: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0

    @property
    def failed(self) -> int:
        return sum(number for answer, number in self.answers.items() if answer.split()[1][0] != "2")

    @property
    def busy(self) -> int:
        return sum(number for answer, number in self.answers.items() if answer.split()[1] == BUSY)

    @property
    def sent(self) -> int:
        return self.answers.total()

    def __str__(self) -> str:
        answers = dict(sorted(self.answers.items()))
        return f"{self.failed} of {self.sent} failed, the longest took {self.longest_s:.2f} s: {answers}"


class SteadyLoad:
    """Two of three requests read a list; the others create, replace and delete products."""

    def __init__(self, address: str, token: str) -> None:
        self._url = f"{address}/api/v1/products"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._created: deque[int] = deque()
        self._ended = Event()
        self.result = LoadResult()

    def send(self, *, per_s: float) -> LoadResult:
        """Sends until the end. Each request has a connection of its own and waits for no other one."""
        began = time.monotonic()
        with ThreadPoolExecutor(_SENDERS) as senders:
            for number in count():
                if self._ended.wait(max(0.0, began + number / per_s - time.monotonic())):
                    break
                senders.submit(self._change if number % 3 == 0 else self._read)
        return self.result

    def end(self) -> None:
        self._ended.set()

    def _read(self) -> None:
        self._send("GET", "?limit=10")

    def _change(self) -> None:
        try:
            self._send("DELETE", f"/{self._created.popleft()}")
        except IndexError:
            created = self._send("POST", "", {"name": "Load"})
            if created is not None and created.ok:
                self._send("PUT", f"/{created.json()['id']}", {"name": "Loaded"})
                self._created.append(created.json()["id"])

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response | None:
        began = time.monotonic()
        answer, status = None, ""
        try:
            answer = requests.request(
                method, self._url + path, json=body, headers=self._headers, timeout=PATIENCE_S
            )
            status = BUSY if _is_busy(answer) else str(answer.status_code)
        except requests.RequestException as error:
            status = type(error).__name__
        self.result.answers[f"{method} {status}"] += 1
        self.result.longest_s = max(self.result.longest_s, time.monotonic() - began)
        return answer


def _is_busy(answer: requests.Response) -> bool:
    """Not what the proxy answers when it has no API."""
    return answer.status_code == 503 and answer.json().get("detail") == str(DatabaseUnavailable())
