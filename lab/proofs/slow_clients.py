"""Clients that send the head of a request a byte at a time: what the others are answered meanwhile."""

import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

from lab.processes.api import Api
from lab.processes.program import HOST

_HEAD = b"GET /livez HTTP/1.1\r\nX-Long: "


@dataclass(frozen=True)
class DripResult:
    """The seconds that each /livez and each list of products took, in order of size."""

    alive_s: list[float]
    reads_s: list[float]
    failed: int

    @property
    def is_as_promised(self) -> bool:
        return not self.failed and percentile(self.alive_s) < 1 and percentile(self.reads_s) < 1

    def __str__(self) -> str:
        return (
            f"{len(self.alive_s)} /livez: p99 {percentile(self.alive_s):.3f} s;"
            f" {len(self.reads_s)} reads: p99 {percentile(self.reads_s):.3f} s; {self.failed} failed"
        )


def percentile(ordered: list[float], share: float = 0.99) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def drip_during_reads(api: Api, *, clients: int, for_s: float) -> DripResult:
    """Keeps so many dripping connections open, each replaced as soon as it ends, and sends requests."""
    ended, alive_s, reads_s, failed = Event(), [], [], 0
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_drip, api.port, clients, ended)
        try:
            time.sleep(1)
            until = time.monotonic() + for_s
            while time.monotonic() < until:
                began = time.monotonic()
                failed += not api.answers("/livez")
                alive_s.append(time.monotonic() - began)
                began = time.monotonic()
                failed += not api.request("GET", "/products").ok
                reads_s.append(time.monotonic() - began)
                time.sleep(0.05)
        finally:
            ended.set()
    return DripResult(sorted(alive_s), sorted(reads_s), failed)


def _drip(port: int, clients: int, ended: Event) -> None:
    with selectors.DefaultSelector() as waiting:
        while not ended.wait(0.2):
            for key, _ in waiting.select(0):
                waiting.unregister(key.fileobj)
                key.data.close()
            for key in list(waiting.get_map().values()):
                with suppress(OSError):
                    key.data.send(b"x")
            while len(waiting.get_map()) < clients:
                connection = socket.create_connection((HOST, port))
                connection.send(_HEAD)
                waiting.register(connection, selectors.EVENT_READ, connection)
        for key in list(waiting.get_map().values()):
            key.data.close()
