"""A stand-in for a replica of the API, which answers the proxy as a test wants."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from lab.processes.program import HOST

PUBLIC = {"Cache-Control": "public, max-age=1", "Vary": "Authorization, Cookie", "ETag": '"one"'}


@dataclass
class StandIn:
    """What it answers, and the requests that it has got; probes are not among them."""

    port: int = 0
    is_ready: bool = True
    is_alive: bool = True
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    takes_s: float = 0
    # It closes the connection instead of answering.
    hangs_up: bool = False
    got: list[str] = field(default_factory=list)
    # X-Request-Start of each.
    started: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        probes = {"/readyz": self.stand_in.is_ready, "/livez": self.stand_in.is_alive}
        if self.path in probes:
            self.send_response_only(200 if probes[self.path] else 503)
            self.end_headers()
            return
        self.stand_in.got.append(self.command)
        self.stand_in.started.append(self.headers["X-Request-Start"])
        time.sleep(self.stand_in.takes_s)
        if self.stand_in.hangs_up:
            return
        not_modified = self.headers.get("If-None-Match", "-") == self.stand_in.headers.get("ETag")
        body = b"" if not_modified else b'{"number": %d}' % len(self.stand_in.got)
        self.send_response(304 if not_modified else self.stand_in.status)
        for name, value in self.stand_in.headers.items():
            self.send_header(name, value)
        self.send_header("X-Request-Id", self.headers["X-Request-Id"])
        if not not_modified:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None: ...


@contextmanager
def standing_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        stand_in.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
