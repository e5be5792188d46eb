"""An Offers service for benchmarks: it does little and leaves the processor to the measured program.

    python -m lab.benchmarks.upstream --latency 0.1

One thread, no HTTP library, answers made from a template. It speaks generation 1 with the UUIDs of
generation 2 (the longer answers), registers products, and answers each call `latency` seconds after it came.
`POST /control/tick?percent=10` moves the price of 10 % of all offers; `GET /control/report` returns the
number of calls so far, the processor seconds, and the times between two reads of a product.
"""

import json
import random
import re
import resource
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import click

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OFFERS = re.compile(rb"/api/v1/products/([0-9a-f-]{36})/offers")
_UNAUTHORIZED = b'{"code": "UNAUTHORIZED", "msg": "Bad token"}'
_MISSING = b'{"code": "NOT FOUND", "msg": "Product does not exist"}'
# The times between two reads are counted in steps of this size.
_GRAIN_S = 0.1


@dataclass(eq=False)
class _ClientConnection:
    socket: socket.socket
    unread: bytes = b""


@dataclass
class PriceTable:
    """The prices of all registered products; every offer's id is made from its product's."""

    offers: int
    prices: dict[bytes, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one = '{"id": "%%s%02d", "price": %%d, "items_in_stock": 5}'
        self._template = ("[" + ", ".join(one % number for number in range(self.offers)) + "]").encode()

    def register(self, product: bytes) -> None:
        self.prices.setdefault(product, [1_000 + number for number in range(self.offers)])

    def listing(self, product: bytes) -> bytes | None:
        prices = self.prices.get(product)
        if prices is None:
            return None
        stem = product[:-2]
        return self._template % tuple(part for price in prices for part in (stem, price))

    def tick(self, percent: float) -> int:
        moved = 0
        for prices in self.prices.values():
            for number in range(len(prices)):
                if random.random() * 100 < percent:
                    prices[number] += 1
                    moved += 1
        return moved


class FastUpstream:
    def __init__(self, prices: PriceTable, *, latency_s: float, port: int) -> None:
        self._prices = prices
        self._latency_s = latency_s
        self._calls: Counter[str] = Counter()
        self._read_at: dict[bytes, float] = {}
        self._gaps: Counter[int] = Counter()
        self._due: deque[tuple[float, _ClientConnection, bytes]] = deque()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4_096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"

    def serve(self) -> None:
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait_s):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, connection, answer = self._due.popleft()
                self._send(connection, answer)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, _ClientConnection(connection))

    def _read(self, connection: _ClientConnection) -> None:
        try:
            piece = connection.socket.recv(65_536)
        except ConnectionError:
            piece = b""
        if not piece:
            self._close(connection)
            return
        data = connection.unread + piece if connection.unread else piece
        head_ends = data.find(b"\r\n\r\n")
        length = 0
        if data.startswith(b"POST") and (match := _LENGTH.search(data)):
            length = int(match[1])
        if head_ends < 0 or len(data) < head_ends + 4 + length:
            connection.unread = data
            return
        connection.unread = b""
        answer, is_control = self._answer(data, data[head_ends + 4 :])
        if is_control:
            self._send(connection, answer)
        else:
            self._due.append((time.monotonic() + self._latency_s, connection, answer))

    def _answer(self, request: bytes, body: bytes) -> tuple[bytes, bool]:
        """The answer, and whether it goes out at once."""
        path = request[request.index(b" ") + 1 :].split(b" ", 1)[0]
        if path.startswith(b"/control/"):
            return _response(200, self._control(path.decode())), True
        if path.endswith(b"/auth"):
            return _response(201, b'{"access_token": "the-one-token"}'), False
        if b"\r\nBearer: " not in request:
            return _response(401, _UNAUTHORIZED), False
        if path.endswith(b"/register"):
            self._calls["register"] += 1
            product = json.loads(body)["id"]
            self._prices.register(product.encode())
            return _response(201, json.dumps({"id": product}).encode()), False
        return self._offers(path), False

    def _offers(self, path: bytes) -> bytes:
        match = _OFFERS.fullmatch(path)
        listing = self._prices.listing(match[1]) if match else None
        if match is None or listing is None:
            return _response(404, _MISSING)
        self._calls["offers"] += 1
        now = time.monotonic()
        last = self._read_at.get(match[1])
        if last is not None:
            self._gaps[int((now - last) / _GRAIN_S)] += 1
        self._read_at[match[1]] = now
        return _response(200, listing)

    def _control(self, path: str) -> bytes:
        parts = urlsplit(path)
        if parts.path == "/control/tick":
            percent = float(parse_qs(parts.query)["percent"][0])
            return json.dumps({"moved": self._prices.tick(percent)}).encode()
        used = resource.getrusage(resource.RUSAGE_SELF)
        gaps = {f"{grains * _GRAIN_S:.1f}": count for grains, count in sorted(self._gaps.items())}
        self._gaps.clear()
        report = {"calls": self._calls, "cpu_s": used.ru_utime + used.ru_stime, "gaps_s": gaps}
        return json.dumps(report).encode()

    def _send(self, connection: _ClientConnection, answer: bytes) -> None:
        try:
            sent = connection.socket.send(answer)
        except OSError:
            self._close(connection)
            return
        if sent < len(answer):
            raise RuntimeError("An answer does not fit into the socket's buffer: use fewer offers.")

    def _close(self, connection: _ClientConnection) -> None:
        if connection.socket.fileno() >= 0:
            self._selector.unregister(connection.socket)
            connection.socket.close()


def _response(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


@click.command()
@click.option("--port", default=0, help="0: any free one.")
@click.option("--latency", default=0.1, show_default=True, help="Seconds that each answer takes.")
@click.option("--offers", default=10, show_default=True, help="Of each product.")
def main(port: int, latency: float, offers: int) -> None:
    upstream = FastUpstream(PriceTable(offers), latency_s=latency, port=port)
    print(upstream.address, flush=True)
    upstream.serve()


if __name__ == "__main__":
    main()
