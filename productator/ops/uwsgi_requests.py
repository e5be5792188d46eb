"""Requests that uWSGI passes on differently from WSGI: corrected here, or marked as unreadable."""

import io
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Protocol

from werkzeug.exceptions import RequestEntityTooLarge

from productator.database.places import Places
from productator.database.use import WAITED_S
from productator.ops import memory
from productator.ops.slow_clients import BODY_S, SlowClients

try:
    import uwsgi
except ImportError:  # another server, which decodes chunked bodies
    uwsgi = None

# Key in the environ of a request that cannot be served; its value is a sentence for the caller.
UNREADABLE = "productator.unreadable"
# The requests that a process works on at the same time: more would get in each other's way. The other threads
# receive what clients send.
AT_WORK = 6
# They are answered beside those: while the database hangs, one of the six may wait for it, too.
_PROBES = frozenset({"/livez", "/readyz"})
# The longest wait for more of a chunked body.
_CHUNK_TIMEOUT_S = 10


def is_uwsgi() -> bool:
    return uwsgi is not None


class RequestCorrection:
    """WSGI middleware: gives every request a method and every answer a date, and decodes and times bodies.

    The application reads a body after it has checked the caller. While a client sends its head or its body,
    it takes no place among the requests that the application works on.
    """

    def __init__(self, application: Any, *, max_bytes: int) -> None:
        self._application = application
        self._max_bytes = max_bytes
        self._slow_clients = SlowClients()
        self._at_work = Places(AT_WORK)
        if uwsgi is not None:
            self._slow_clients.start()
            memory.start_watch()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if uwsgi is not None:
            self._slow_clients.head_arrived(uwsgi.connection_fd())
        # Also of a head that ended early, as one does whose deadline has passed.
        if not {"REQUEST_METHOD", "PATH_INFO"} <= environ.keys():
            environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": "/", UNREADABLE: "This is not HTTP."}
        elif uwsgi is not None and environ.get("HTTP_TRANSFER_ENCODING", "").strip().lower() == "chunked":
            if environ.get("CONTENT_LENGTH"):
                environ[UNREADABLE] = (
                    "Content-Length and Transfer-Encoding exclude each other: send one of them."
                )
            else:
                body = _ChunkedBody(self._max_bytes)
                environ |= {"wsgi.input": self._timed(body), "wsgi.input_terminated": True}
        elif uwsgi is not None:
            environ["wsgi.input"] = self._timed(environ["wsgi.input"])
        if uwsgi is None:
            return self._application(environ, start_response)  # type: ignore[no-any-return]
        if environ["PATH_INFO"] in _PROBES:
            return self._application(environ, _dated(start_response))  # type: ignore[no-any-return]
        arrived = time.monotonic()
        self._at_work.take()
        try:
            environ[WAITED_S] = environ.get(WAITED_S, 0.0) + time.monotonic() - arrived
            return self._application(environ, _dated(start_response))  # type: ignore[no-any-return]
        finally:
            self._at_work.give_back()

    def _timed(self, body: "_Readable") -> "_TimedBody":
        return _TimedBody(body, self._slow_clients, self._at_work)


def _dated(start_response: Any) -> Any:
    """Adds the time of the answer, which uWSGI leaves out: caches tell by it how old an answer is."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("Date", _http_date(int(time.time())))], *rest)

    return start


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


class _Readable(Protocol):
    def read(self, size: int = -1) -> bytes: ...


class _TimedBody:
    """A body with a deadline, whatever arrives in between."""

    def __init__(self, body: _Readable, slow_clients: SlowClients, at_work: Places) -> None:
        self._body = body
        self._slow_clients = slow_clients
        self._at_work = at_work
        self._until: float | None = None

    def read(self, size: int = -1) -> bytes:
        if self._until is None:
            self._until = time.monotonic() + BODY_S
        self._at_work.give_back()
        try:
            with self._slow_clients.receiving_body(uwsgi.connection_fd(), until=self._until):
                return self._body.read(size)
        finally:
            self._at_work.take()


class _ChunkedBody:
    """A body in chunks, decoded when it is first read; uWSGI would pass it on as empty."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._decoded: io.BytesIO | None = None

    def read(self, size: int = -1) -> bytes:
        if self._decoded is None:
            self._decoded = io.BytesIO(self._decode())
        return self._decoded.read(size)

    def _decode(self) -> bytes:
        body = bytearray()
        while chunk := uwsgi.chunked_read(_CHUNK_TIMEOUT_S):
            body += chunk
            if len(body) > self._max_bytes:
                raise RequestEntityTooLarge
        return bytes(body)
