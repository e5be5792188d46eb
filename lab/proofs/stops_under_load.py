"""uWSGI stops under load: requests in flight are answered.

A request is in flight when a worker has accepted it before the signal. To know which those are, the workers
are frozen for a moment: the kernel then tells which connections have been accepted, and the signal comes in
the middle of their work.
"""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event

from lab.processes.api import Api
from lab.proofs.wire import AnswerLost, HttpAnswer, WireCall
from lab.waiting import eventually

_ESTABLISHED, _CLOSED_BY_CLIENT = "01", "08"


@dataclass
class SentRequest:
    # The name of the product that it creates, if any.
    name: str | None
    port: int = 0
    answer: HttpAnswer | None = None
    lost: str = ""


@dataclass(frozen=True)
class StopResult:
    exit_code: int
    seconds: float
    # Accepted by a worker when the signal came.
    in_flight: list[SentRequest]
    # Connected and sent, but not accepted: they waited for a worker.
    waiting: list[SentRequest]
    all: list[SentRequest]

    @property
    def failed(self) -> list[SentRequest]:
        return [request for request in self.in_flight if not request.answer]

    @property
    def created(self) -> set[str]:
        """The products whose creation was answered."""
        return {each.name for each in self.all if each.name and each.answer and each.answer.status == 201}

    @property
    def statuses(self) -> Counter[int]:
        return Counter(each.answer.status for each in self.all if each.answer)


@dataclass
class _ClientLoad:
    """Clients that create and list products until the end."""

    api: Api
    prefix: str
    requests: list[SentRequest] = field(default_factory=list)
    _ended: Event = field(default_factory=Event)

    def run(self, client: int) -> None:
        for number in count():
            if self._ended.is_set():
                return
            name = f"{self.prefix}-{client}-{number}" if number % 2 else None
            self._send(SentRequest(name))

    def end(self) -> None:
        self._ended.set()

    def under_way(self) -> list[SentRequest]:
        return [each for each in list(self.requests) if each.port and not each.answer and not each.lost]

    def has_created(self) -> bool:
        """Whether a product has been created and that was answered."""
        return any(each.name and each.answer for each in list(self.requests))

    def _send(self, request: SentRequest) -> None:
        call = WireCall(self.api)
        self.requests.append(request)
        try:
            if request.name:
                request.port = call.send("POST", "/products", {"name": request.name})
            else:
                request.port = call.send("GET", "/products?limit=200")
            request.answer = call.receive()
        except AnswerLost as lost:
            request.lost = str(lost)


def stop_under_load(api: Api, *, clients: int, after_s: float, prefix: str) -> StopResult:
    """Stops this API in the middle of work; `after_s` makes the moments of the stops differ."""
    load = _ClientLoad(api, prefix)
    with ThreadPoolExecutor(clients) as threads:
        for client in range(clients):
            threads.submit(load.run, client)
        # On a busy machine the first answers take longer than `after_s`.
        eventually(load.has_created)
        time.sleep(after_s)
        in_flight, waiting = _freeze_at_work(api, load)
        began = time.monotonic()
        api.process.send_signal(signal.SIGTERM)
        eventually(lambda: "graceful shutdown triggered" in api.printed)
        _signal_workers(api, signal.SIGCONT)
        exit_code = api.end()
        seconds = time.monotonic() - began
        load.end()
    return StopResult(exit_code, seconds, in_flight, waiting, load.requests)


def _signal_workers(api: Api, number: int) -> None:
    for pid in api.children:
        os.kill(pid, number)


def _freeze_at_work(api: Api, load: _ClientLoad) -> tuple[list[SentRequest], list[SentRequest]]:
    """Stops the workers at a moment when they have accepted a request."""
    while True:
        _signal_workers(api, signal.SIGSTOP)
        in_flight, waiting = _divide(api, load)
        if in_flight:
            return in_flight, waiting
        _signal_workers(api, signal.SIGCONT)
        time.sleep(0.01)


def _divide(api: Api, load: _ClientLoad) -> tuple[list[SentRequest], list[SentRequest]]:
    """The requests under way: those that a worker has accepted, and those that wait for one."""
    eventually(lambda: len(load.under_way()) > 0)
    # Clients that are about to send have sent by then.
    time.sleep(0.05)
    requests, accepted = load.under_way(), _accepted(api.port)
    return (
        [each for each in requests if each.port in accepted],
        [each for each in requests if each.port not in accepted],
    )


def _accepted(port: int) -> set[int]:
    """The clients' ports of the connections to this port that a process has accepted."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        # A connection that no process has accepted yet has no inode.
        if local.endswith(f":{port:04X}") and state in {_ESTABLISHED, _CLOSED_BY_CLIENT} and inode != "0":
            found.add(int(remote.rpartition(":")[2], 16))
    return found
