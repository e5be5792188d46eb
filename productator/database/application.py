"""The class of the web application: a database that rolls a view back makes it run again."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from productator.database.web import retried


class _NoSessions(SessionInterface):
    """The pages keep theirs in the database."""

    def __init__(self) -> None:
        self._none = NullSession()

    def open_session(self, *_: object) -> NullSession:
        return self._none


class RetryingFlask(Flask):
    """An application that runs every view again as a whole when the database rolled it back."""

    dispatch_request = retried(Flask.dispatch_request)
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view or hook of ours is a coroutine, which Flask would find out ten times a request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Of a request, without what Flask and Werkzeug do for subdomains and web sockets."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        host = request.host = get_host(environ)
        path = _decoded(environ["PATH_INFO"])
        # The router takes `//x` and `x` for `/x`, but privacy of answers is decided by the path as it is.
        # So such a path leads below `/.`, where nothing is.
        if path[:1] != "/" or path[1:2] == "/":
            path = f"/.{path}"
        return self.url_map.bind(
            host,
            _decoded(environ.get("SCRIPT_NAME", "")),
            "",
            environ["wsgi.url_scheme"],
            environ["REQUEST_METHOD"],
            path,
            _decoded(environ.get("QUERY_STRING", "")),
        )


def _decoded(text: str) -> str:
    """A text that WSGI passes on as if its bytes were Latin-1."""
    return text if text.isascii() else text.encode("latin-1").decode(errors="replace")
