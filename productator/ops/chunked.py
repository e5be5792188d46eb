"""Bodies of unknown length under uWSGI, which hands them over as empty unless they are asked for."""

import io
from collections.abc import Iterable
from typing import Any

try:
    import uwsgi
except ImportError:  # another server, which reads chunked bodies by itself
    uwsgi = None

CHUNK_TIMEOUT_S = 10


class ChunkedBodies:
    """WSGI middleware: reads a chunked body whole, up to one byte more than is allowed."""

    def __init__(self, application: Any, *, max_bytes: int) -> None:
        self._application = application
        self._max_bytes = max_bytes

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if uwsgi is not None and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = self._read()
            del environ["HTTP_TRANSFER_ENCODING"]
            environ["wsgi.input"] = io.BytesIO(body)
            # A body that is too large keeps a length that says so, and the application refuses it.
            environ["CONTENT_LENGTH"] = str(len(body))
        return self._application(environ, start_response)  # type: ignore[no-any-return]

    def _read(self) -> bytes:
        body = bytearray()
        while len(body) <= self._max_bytes:
            chunk = uwsgi.chunked_read(CHUNK_TIMEOUT_S)
            if not chunk:
                break
            body += chunk
        return bytes(body)
