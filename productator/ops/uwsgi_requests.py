"""Requests that uWSGI passes on differently from WSGI: corrected here, or marked as unreadable."""

import io
from collections.abc import Iterable
from typing import Any

try:
    import uwsgi
except ImportError:  # another server, which decodes chunked bodies
    uwsgi = None

# Key in the environ of a request that cannot be served; its value is a sentence for the caller.
UNREADABLE = "productator.unreadable"
CHUNK_TIMEOUT_S = 10


def thread_count() -> int | None:
    """How many requests a process of this server handles at the same time; None: it is not uWSGI."""
    return None if uwsgi is None else int(uwsgi.opt.get("threads", 1))


class RequestCorrection:
    """WSGI middleware: gives every request a method, and decodes chunked bodies."""

    def __init__(self, application: Any, *, max_bytes: int) -> None:
        self._application = application
        self._max_bytes = max_bytes

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "REQUEST_METHOD" not in environ:
            environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": "/", UNREADABLE: "This is not HTTP."}
        elif uwsgi is not None and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            self._decode_chunks(environ)
        return self._application(environ, start_response)  # type: ignore[no-any-return]

    def _decode_chunks(self, environ: dict[str, Any]) -> None:
        if environ.get("CONTENT_LENGTH"):
            environ[UNREADABLE] = "Content-Length and Transfer-Encoding exclude each other: send one of them."
            return
        try:
            body = self._read()
        except OSError:
            environ[UNREADABLE] = "The body ended early, came too slowly, or has a chunk of more than 8 MiB."
            return
        del environ["HTTP_TRANSFER_ENCODING"]
        environ["wsgi.input"] = io.BytesIO(body)
        # The length of a body that is too large is above the limit, and the application refuses it.
        environ["CONTENT_LENGTH"] = str(len(body))

    def _read(self) -> bytes:
        """The body, or its beginning if it is longer than allowed."""
        body = bytearray()
        while len(body) <= self._max_bytes:
            chunk = uwsgi.chunked_read(CHUNK_TIMEOUT_S)
            if not chunk:
                break
            body += chunk
        return bytes(body)
