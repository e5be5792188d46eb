"""HTTP calls to the Offers service and the identity provider: libcurl, set up in one way.

libcurl bounds a call as a whole. `requests` starts its timeout anew with each byte that arrives, so a server
that sends its answer in drips could hold a call for ever; and it reads passwords from `~/.netrc`.

libcurl itself reads which proxies to use, from the variables `http_proxy` (in small letters only),
`HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. The notifier sets up its own calls, which use no proxy and whose
addresses are checked.
"""

import re
from functools import cache
from http import HTTPStatus
from importlib import metadata
from typing import NamedTuple
from urllib.parse import urlsplit

import certifi
import pycurl

from productator.errors import CallFailed

_CONNECT_TIMEOUT_MS = 3_000
_LONGEST_TARGET = 200


class CurlFailure(NamedTuple):
    """Why a call has failed, as libcurl says it."""

    code: int
    text: str

    @property
    def reason(self) -> str:
        """Equal failures read the same, though libcurl names figures that differ from call to call."""
        text = re.sub(r" after \d+ (ms|milliseconds)\b", "", self.text)
        return re.sub(r"\b[1-9]\d*( out of -?\d+)? bytes", "some bytes", text) or "no reason given"


def new_handle(*, timeout_s: float, ca_file: str | None) -> pycurl.Curl:
    """A handle for calls of at most `timeout_s` that verifies certificates and follows no redirect.

    `ca_file`: the authorities that certificates are checked against; None: those of `certifi`.
    """
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, True)
    curl.setopt(pycurl.FOLLOWLOCATION, False)
    curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, _CONNECT_TIMEOUT_MS)
    curl.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1000))
    curl.setopt(pycurl.CAINFO, ca_file or certifi.where())
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    curl.setopt(pycurl.USERAGENT, _user_agent())
    # libcurl unpacks in small pieces, so a limit on what is received holds for what was unpacked.
    curl.setopt(pycurl.ACCEPT_ENCODING, "gzip")
    return curl


def redirect_target(curl: pycurl.Curl) -> str | None:
    """Where the answer redirects to, for a message."""
    try:
        target = curl.getinfo(pycurl.REDIRECT_URL)
        shown = without_user(target) if target else None
    except ValueError:  # the server may send anything
        return "an address that cannot be read"
    return re.sub(r"[^!-~]", "?", shown)[:_LONGEST_TARGET] if shown else None


def without_user(address: str) -> str:
    """The address as it may be shown: user, password and query may be secrets."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def read(address: str, *, timeout_s: float, max_bytes: int, ca_file: str | None) -> bytes:
    """The body at the address; raises CallFailed unless it comes with status 200."""
    curl = new_handle(timeout_s=timeout_s, ca_file=ca_file)
    body = bytearray()

    def receive(piece: bytes) -> int | None:
        body.extend(piece)
        # Any other number than the piece's length makes libcurl end the call.
        return 0 if len(body) > max_bytes else None

    try:
        curl.setopt(pycurl.URL, address)
        curl.setopt(pycurl.WRITEFUNCTION, receive)
        curl.perform()
        status, target = curl.getinfo(pycurl.RESPONSE_CODE), redirect_target(curl)
    except pycurl.error as error:
        if len(body) > max_bytes:
            raise CallFailed(f"the answer is longer than {max_bytes} bytes") from error
        raise CallFailed(CurlFailure(*error.args).reason) from error
    finally:
        curl.close()
    if status != HTTPStatus.OK:
        raise CallFailed(
            f"the answer has status {status}" + (f" and redirects to {target}" if target else "")
        )
    return bytes(body)


@cache
def _user_agent() -> str:
    return f"Productator/{metadata.version('productator')}"
