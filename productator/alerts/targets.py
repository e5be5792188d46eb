"""Checks where a channel leads, when it is saved: the same rules as when a message is sent."""

import re
import socket
import threading
from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from urllib.parse import urlsplit

from productator.alerts.networks import is_refused
from productator.domain import Network

_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[!-~]*)?", re.IGNORECASE)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_LONGEST_PORT = 65_535
# A name server that does not answer must not keep the request for long.
_LOOK_UP_S = 2.0


def wrong_url(url: str, allowed: Collection[Network]) -> str | None:
    """Why nothing may be sent to the URL; None: it may.

    A name that nobody knows now is accepted. Each message checks the address that it is sent to.
    """
    found = _URL.fullmatch(url)
    if "@" in url.partition("//")[2].partition("/")[0]:
        return "Must not contain a user or a password."
    if not found or not 0 < int((found[2] or ":80")[1:]) <= _LONGEST_PORT:
        return "Must be an http or https address in ASCII, such as https://hooks.example/alerts."
    for address in _addresses(urlsplit(url).hostname or ""):
        if is_refused(address, allowed):
            return f"{address} is not a public address, and PRODUCTATOR_ALERT_NETWORKS does not allow it."
    return None


def wrong_mail_addresses(addresses: str) -> str | None:
    """Why mail cannot be sent to the list; None: it can."""
    wrong = [each for each in addresses.split(",") if not _MAIL_ADDRESS.fullmatch(each)]
    return "Must be mail addresses with commas and no spaces between them." if wrong else None


def _addresses(host: str) -> list[str]:
    """All addresses of the host; none: it is not known now. It reads numbers as the C library does."""
    # To curl, a dot at the end changes nothing, and all names below localhost are loopback.
    host = host.rstrip(".")
    if host.endswith(".localhost"):
        host = "localhost"
    future = Future[list[str]]()
    # A daemon: a lookup cannot be ended.
    threading.Thread(target=_look_up, args=(host, future), name="lookup", daemon=True).start()
    try:
        return future.result(_LOOK_UP_S)
    except NotInTime:
        return []


def _look_up(host: str, future: Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        future.set_result([str(address[0]) for *_, address in found])
    except (OSError, UnicodeError):
        future.set_result([])
