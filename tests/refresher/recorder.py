"""An HTTP server on loopback that records requests, and answers all of them in the same way."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Recorded(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    address: str = ""
    connections: int = 0
    requests: list[Recorded] = field(default_factory=list)


@contextmanager
def recording(*, status: int = 200, answer: str = "[]", path: str = "") -> Iterator[Recorder]:
    """`answer`: its `{}` becomes the number of the request, counted from 1. `path`: of the address."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            recorder.connections += 1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            recorder.requests.append(Recorded(self.command, self.path, dict(self.headers), body))
            content = answer.replace("{}", str(len(recorder.requests))).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the base's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        recorder.address = f"http://127.0.0.1:{server.server_port}{path}"
        yield recorder
        server.shutdown()
