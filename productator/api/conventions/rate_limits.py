"""Rate limits: a number of requests of a caller in a window of seconds; without a token, of an address.

An address may try as many wrong tokens; then all its tokens are refused until the window ends.
"""

import math
import re
import time
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from flask import Flask, Response, current_app, g, request

from productator.api.conventions.auth import caller
from productator.domain import Rate, RateWindow
from productator.errors import TooManyRequests
from productator.ops.shared_counters import Counters

# Monitoring must get answers under load, too.
EXEMPT = {"/livez", "/readyz", "/metrics"}
# Some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711 into X-Forwarded-For.
_WITH_PORT = re.compile(r"\[([^]]+)\](?::[0-9]+)?|([^:]+):[0-9]+")
_NETWORK_BITS = 64  # of an IPv6 address: the network of one customer


def init_app(app: Flask, rate: Rate | None, counters: Counters) -> None:
    """Call this before access control is set up: wrong tokens are counted, too."""
    if rate is not None:
        limits = _RateLimits(rate, counters)
        app.extensions["productator-limits"] = limits
        app.before_request(limits.before_access)
        app.after_request(limits.add_headers)


def count_callers(app: Flask) -> None:
    """Call this after access control is set up: it knows the caller."""
    if "productator-limits" in app.extensions:
        app.before_request(app.extensions["productator-limits"].after_access)


def refuse_guesser() -> None:
    """For sign-in: an address that tried too many wrong tokens has to wait, as with the API."""
    if limits := current_app.extensions.get("productator-limits"):
        limits.refuse_guesser()


def count_wrong_token() -> None:
    if limits := current_app.extensions.get("productator-limits"):
        limits.count_wrong_token()


class _RateLimits:
    def __init__(self, rate: Rate, counters: Counters) -> None:
        self._rate = rate
        self._counters = counters

    def before_access(self) -> None:
        g.window = None
        if _is_exempt():
            return
        if not _has_token():
            self._count(f"from:{_network()}")
        else:
            self.refuse_guesser()

    def refuse_guesser(self) -> None:
        if self._add(f"wrong:{_network()}", 0).count >= self._rate.quota:
            raise TooManyRequests(_seconds_left(g.window))

    def count_wrong_token(self) -> None:
        self._add(f"wrong:{_network()}", 1)

    def after_access(self) -> None:
        if _has_token() and not _is_exempt():
            self._count(f"by:{caller()}" if caller() else f"from:{_network()}")

    def add_headers(self, response: Response) -> Response:
        """Adds the headers of draft-ietf-httpapi-ratelimit-headers."""
        if response.status_code == HTTPStatus.UNAUTHORIZED and _has_token() and not _is_exempt():
            self.count_wrong_token()
        window: RateWindow | None = g.get("window")
        if window is not None:
            left = max(0, self._rate.quota - window.count)
            response.headers["RateLimit-Policy"] = f'"default";q={self._rate.quota};w={self._rate.window_s}'
            response.headers["RateLimit"] = f'"default";r={left};t={_seconds_left(window)}'
        return response

    def _count(self, key: str) -> None:
        if self._add(key, 1).count > self._rate.quota:
            raise TooManyRequests(_seconds_left(g.window))

    def _add(self, key: str, amount: int) -> RateWindow:
        """The window after `amount` more."""
        window = self._counters.add(key, amount, now=time.monotonic(), length_s=self._rate.window_s)
        g.window = window
        return window


def _is_exempt() -> bool:
    # Browsers send OPTIONS before the request itself, and without a token. `request.path` of `//livez` is
    # `/livez`, too.
    return request.environ["PATH_INFO"] in EXEMPT or (request.method == "OPTIONS" and not _has_token())


def _has_token() -> bool:
    return "Authorization" in request.headers


def _network() -> str:
    """The address of the caller; with IPv6, the network of one customer."""
    given = request.remote_addr or ""
    if with_port := _WITH_PORT.fullmatch(given):
        given = with_port[1] or with_port[2]
    try:
        address = ip_address(given)
    except ValueError:  # a proxy may send another name
        return given
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _NETWORK_BITS):x}"


def _seconds_left(window: RateWindow) -> int:
    return max(1, math.ceil(window.ends_at - time.monotonic()))
