"""A worker's probes and metrics over HTTP, in a thread of their own."""

import json
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_Response = tuple[HTTPStatus, str, bytes]


class Heartbeat:
    """The loop beats it once a turn; it is alive if the last beat is recent."""

    def __init__(self, *, longest_s: float) -> None:
        self.longest_s = longest_s
        self._last = time.monotonic()
        self.has_database = False

    def beat(self, *, has_database: bool) -> None:
        self._last = time.monotonic()
        self.has_database = has_database

    @property
    def is_alive(self) -> bool:
        return time.monotonic() - self._last <= self.longest_s


def serve(host: str, port: int, *, heartbeat: Heartbeat, registry: CollectorRegistry) -> ThreadingHTTPServer:
    """Starts serving; raises OSError if it cannot listen on the port."""
    routes: dict[str, Callable[[], _Response]] = {
        "/livez": lambda: _liveness(heartbeat),
        "/readyz": lambda: _readiness(heartbeat),
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)),
    }

    class ProbeHandler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            status, content_type, body = routes.get(self.path.partition("?")[0], _nothing)()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def end_headers(self) -> None:
            self.send_header("X-Content-Type-Options", "nosniff")
            super().end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Probes come every second and are not worth a line."""

    server = ThreadingHTTPServer((host, port), ProbeHandler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return server


def _liveness(heartbeat: Heartbeat) -> _Response:
    if heartbeat.is_alive:
        return _json(HTTPStatus.OK, "alive")
    return _json(HTTPStatus.SERVICE_UNAVAILABLE, "the loop has stalled")


def _readiness(heartbeat: Heartbeat) -> _Response:
    """Not ready without the database. Without whom it calls it is ready: a restart would not help."""
    if heartbeat.is_alive and not heartbeat.has_database:
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, "the database is not available")
    return _liveness(heartbeat)


def _nothing() -> _Response:
    return _json(HTTPStatus.NOT_FOUND, "there are only /livez, /readyz and /metrics")


def _json(status: HTTPStatus, text: str) -> _Response:
    return status, "application/json", json.dumps({"status": text}).encode()
