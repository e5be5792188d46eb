"""A database that hangs under load: what callers and probes are answered meanwhile."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event

import requests

from lab.processes.api import Api
from lab.waiting import PATIENCE_S, eventually

_CLIENTS = 200
_LIVEZ_EVERY_S = 0.2
_READYZ_EVERY_S = 1.0


@dataclass(frozen=True)
class TimedAnswer:
    # None: the connection ended without an answer.
    status: int | None
    seconds: float
    retry_after: str | None = None


@dataclass
class HangResult:
    """The answers to what was sent while the database hung."""

    requests: list[TimedAnswer] = field(default_factory=list)
    alive: list[TimedAnswer] = field(default_factory=list)
    ready: list[TimedAnswer] = field(default_factory=list)
    workers_killed: int = 0
    recovered_in_s: float = 0.0

    def is_as_promised(self, *, budget_s: float) -> bool:
        return (
            all(each.retry_after for each in self.requests if each.status == 503)
            # The last ones succeed: the database answers again.
            and {each.status for each in self.requests} <= {200, 201, 503}
            and longest(self.requests) < budget_s + 2
            and all(each.status == 200 for each in self.alive)
            and longest(self.alive) < 1
            # The first one may have begun before the database hung, and the last one may end after it.
            and all(each.status == 503 for each in self.ready[1:-1])
            and longest(self.ready) < 3
            and not self.workers_killed
        )

    def __str__(self) -> str:
        statuses = Counter(each.status for each in self.requests)
        return (
            f"{len(self.requests)} requests: {dict(statuses)}, the longest {longest(self.requests):.2f} s;"
            f" {len(self.alive)} /livez: {dict(Counter(each.status for each in self.alive))},"
            f" the longest {longest(self.alive):.3f} s;"
            f" {len(self.ready)} /readyz: {dict(Counter(each.status for each in self.ready))},"
            f" the longest {longest(self.ready):.2f} s; {self.workers_killed} workers killed;"
            f" ready again after {self.recovered_in_s:.1f} s"
        )


def longest(answers: list[TimedAnswer]) -> float:
    return max((each.seconds for each in answers), default=0.0)


def hang_under_load(
    api: Api,
    *,
    hang: Callable[[], object],
    resume: Callable[[], object],
    for_s: float,
    methods: tuple[str, ...] = ("GET", "POST"),
    a_second: int = 20,
    through: Api | None = None,
) -> HangResult:
    """Lets the database hang for so long while clients send so many requests a second.

    They send them to the API, or `through` a proxy before it; probes ask the API.
    """
    result, ended, workers = HangResult(), Event(), api.children
    with ThreadPoolExecutor(_CLIENTS) as clients:
        hang()
        try:
            clients.submit(_probe, api, "/livez", result.alive, ended, _LIVEZ_EVERY_S)
            clients.submit(_probe, api, "/readyz", result.ready, ended, _READYZ_EVERY_S)
            began = time.monotonic()
            for number, method in enumerate(cycle(methods)):
                if ended.wait(max(0.0, began + number / a_second - time.monotonic())):
                    break
                if time.monotonic() - began >= for_s:
                    break
                clients.submit(_send, through or api, method, result.requests)
        finally:
            ended.set()
            resume()
        began = time.monotonic()
        eventually(lambda: api.answers("/readyz"))
        result.recovered_in_s = time.monotonic() - began
    result.workers_killed = len(workers - api.children)
    return result


def _send(api: Api, method: str, answers: list[TimedAnswer]) -> None:
    body = {"name": "Kettle"} if method == "POST" else None
    answers.append(_timed(lambda: api.request(method, "/products", json=body)))


def _probe(api: Api, path: str, answers: list[TimedAnswer], ended: Event, every_s: float) -> None:
    while not ended.wait(every_s):
        answers.append(_timed(lambda: requests.get(api.url(path), timeout=PATIENCE_S)))


def _timed(send: Callable[[], requests.Response]) -> TimedAnswer:
    began = time.monotonic()
    try:
        response = send()
    except requests.RequestException:
        return TimedAnswer(None, time.monotonic() - began)
    seconds = time.monotonic() - began
    return TimedAnswer(response.status_code, seconds, response.headers.get("Retry-After"))
