"""Decides what is believed about a request's way here: the caller's address, and the API's own.

Nothing else reads forwarded headers: they do not reach the application.
"""

import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.sansio.utils import host_is_trusted

from productator.database.use import WAITED_S

# Key in the environ of a request without a usable host: addresses in its answer are relative.
HOST_UNKNOWN = "productator.host_unknown"
_FOR = "HTTP_X_FORWARDED_FOR"
_PROTO = "HTTP_X_FORWARDED_PROTO"
_PREFIX = "HTTP_X_FORWARDED_PREFIX"
_STARTED = "HTTP_X_REQUEST_START"
_TIME = re.compile(r"t=([0-9]{1,12}(?:\.[0-9]{1,6})?)")
# The shipped proxy asks no replica after a longer wait. Clocks may differ by more.
_MOST_WAITED_S = 5.0
# A request may name its whole address in the place of its path, and then nothing else names the host.
_ABSOLUTE = re.compile("https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+")
# A name has up to 253 characters, and a port five.
_LONGEST_HOST = 260


class Forwarding:
    """WSGI middleware: believes `trusted_proxies` proxies, and before them the address in the settings.

    The header `kept` is no statement about the way: it holds a token, which is checked.
    """

    def __init__(
        self, application: Any, *, trusted_proxies: int, public_url: str | None, kept: str | None = None
    ) -> None:
        self._application = application
        self._trusted_proxies = trusted_proxies
        self._kept = f"HTTP_{kept.upper().replace('-', '_')}" if kept else ""
        self._public_url = urlsplit(public_url) if public_url else None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")  # what is not HTTP has none
        if path[:1] != "/" and (absolute := _ABSOLUTE.fullmatch(path)):
            environ["HTTP_HOST"], environ["PATH_INFO"] = absolute[1], absolute[2] or "/"
        forwarded = _taken_out(environ, self._kept)
        if _PROTO in forwarded or "HTTP_X_FORWARDED_SSL" in forwarded:
            # uWSGI has taken the scheme from them, no matter who sent them.
            environ["wsgi.url_scheme"] = "http"
        self._believe_proxies(environ, forwarded)
        if self._public_url is not None:
            environ["wsgi.url_scheme"] = self._public_url.scheme
            environ["HTTP_HOST"] = self._public_url.netloc
            environ["SCRIPT_NAME"] = self._public_url.path
        elif not _is_host(environ.get("HTTP_HOST", "")):
            environ[HOST_UNKNOWN] = True
        return self._application(environ, start_response)  # type: ignore[no-any-return]

    def _believe_proxies(self, environ: dict[str, Any], forwarded: dict[str, str]) -> None:
        if self._trusted_proxies and (started := _TIME.fullmatch(environ.get(_STARTED, ""))):
            environ[WAITED_S] = min(max(0.0, time.time() - float(started[1])), _MOST_WAITED_S)
        if not forwarded:
            return
        address, scheme, prefix = (
            self._believed(forwarded.get(name, "")) for name in (_FOR, _PROTO, _PREFIX)
        )
        if address:
            environ["REMOTE_ADDR"] = address
        if scheme.lower() in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme.lower()
        if _PATH.fullmatch(prefix.rstrip("/")):
            environ["SCRIPT_NAME"] = prefix.rstrip("/")

    def _believed(self, value: str) -> str:
        """What the outermost trusted proxy wrote, since each adds a value at the end; empty: nothing."""
        values = value.split(",")
        if not 1 <= self._trusted_proxies <= len(values):
            return ""
        return values[-self._trusted_proxies].strip()


def _taken_out(environ: dict[str, Any], kept: str) -> dict[str, str]:
    """The forwarded headers of the request, which it does not have any more."""
    # Most requests have none: one text is searched several times as fast as each name.
    all_names = " ".join(environ)
    if "HTTP_X_FORWARDED_" not in all_names and "HTTP_FORWARDED" not in all_names:
        return {}
    names = [name for name in environ if name.startswith(("HTTP_X_FORWARDED_", "HTTP_FORWARDED"))]
    if kept in names:
        names.remove(kept)
    return {name: environ.pop(name) for name in names}


def _is_host(value: str) -> bool:
    return len(value) <= _LONGEST_HOST and host_is_trusted(value)
