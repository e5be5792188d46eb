"""Many calls at once over libcurl: requests in, answers out, in the order in which they arrive.

One thread drives all connections. libcurl bounds each call as a whole, which `requests` cannot do, at a
fraction of its processor time; connections are reused, and HTTP/2 is spoken where the service offers it.
"""

import re
import selectors
import time
from dataclasses import dataclass, field
from typing import Any

import certifi
import pycurl

from productator.errors import OffersProtocolError, OffersServiceError, OffersUnavailable
from productator.offers_service.contract import MAX_ANSWER_BYTES, Answer, Request, retry_after

Reply = Answer | OffersServiceError

_CONNECT_TIMEOUT_MS = 3_000
_RETRY_AFTER = re.compile(rb"retry-after:\s*(\S+)", re.IGNORECASE)


@dataclass(eq=False)
class _Call:
    """A request under way, and what has arrived of its answer."""

    key: Any
    body: bytearray = field(default_factory=bytearray)
    retry_after_s: float | None = None

    def take(self, piece: bytes) -> int | None:
        self.body += piece
        # Any other number than the piece's length makes libcurl end the call.
        return 0 if len(self.body) > MAX_ANSWER_BYTES else None

    def take_header(self, line: bytes) -> None:
        if match := _RETRY_AFTER.match(line):
            self.retry_after_s = retry_after(match[1].decode("latin-1"))


class Transport:
    def __init__(self, base_url: str, *, concurrency: int, timeout_s: float) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._concurrency = concurrency
        self._calls: dict[pycurl.Curl, _Call] = {}
        self._idle: list[pycurl.Curl] = []
        self._selector = selectors.DefaultSelector()
        self._wake_at: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, concurrency)
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    @property
    def room(self) -> int:
        return self._concurrency - len(self._calls)

    def send(self, key: Any, request: Request, *, token: str) -> None:
        """Starts a call; `receive` gives its reply under the same key."""
        call = _Call(key)
        curl = self._idle.pop() if self._idle else self._new_handle()
        headers = [f"Bearer: {token}"]
        if request.body is None:
            curl.setopt(pycurl.HTTPGET, True)
        else:
            headers += ["Content-Type: application/json", "Expect:"]
            curl.setopt(pycurl.POST, True)
            curl.setopt(pycurl.POSTFIELDS, request.body)
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        curl.setopt(pycurl.URL, self._base_url + request.path)
        curl.setopt(pycurl.HTTPHEADER, headers)
        curl.setopt(pycurl.WRITEFUNCTION, call.take)
        curl.setopt(pycurl.HEADERFUNCTION, call.take_header)
        self._calls[curl] = call
        self._multi.add_handle(curl)

    def receive(self, wait_s: float) -> list[tuple[Any, Reply]]:
        """The replies that have arrived; waits up to `wait_s` for the first."""
        deadline = time.monotonic() + wait_s
        while True:
            now = time.monotonic()
            wake_at = deadline if self._wake_at is None else min(deadline, self._wake_at)
            self._drive(max(0.0, wake_at - now))
            replies = self._finished()
            if replies or time.monotonic() >= deadline:
                return replies

    def close(self) -> None:
        """Ends all calls at once."""
        for curl in [*self._calls, *self._idle]:
            if curl in self._calls:
                self._multi.remove_handle(curl)
            curl.close()
        self._calls.clear()
        self._idle.clear()
        self._multi.close()
        self._selector.close()

    def _new_handle(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.FOLLOWLOCATION, False)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, _CONNECT_TIMEOUT_MS)
        curl.setopt(pycurl.TIMEOUT_MS, int(self._timeout_s * 1000))
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        return curl

    def _drive(self, wait_s: float) -> None:
        events = self._selector.select(wait_s)
        for key, mask in events:
            action = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, action)
        if self._wake_at is not None and time.monotonic() >= self._wake_at:
            self._wake_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _watch(self, event: int, fd: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        """libcurl tells which sockets it waits for."""
        if event == pycurl.POLL_REMOVE:
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
            return
        mask = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if fd in self._selector.get_map():
            self._selector.modify(fd, mask)
        else:
            self._selector.register(fd, mask)

    def _set_timer(self, timeout_ms: int) -> None:
        """libcurl tells when it wants to be called though nothing has arrived."""
        self._wake_at = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000

    def _finished(self) -> list[tuple[Any, Reply]]:
        replies = []
        more = True
        while more:
            more, succeeded, failed = self._multi.info_read()
            replies += [self._end(curl, None) for curl in succeeded]
            replies += [self._end(curl, reason) for curl, _code, reason in failed]
        return replies

    def _end(self, curl: pycurl.Curl, failure: str | None) -> tuple[Any, Reply]:
        call = self._calls.pop(curl)
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        self._multi.remove_handle(curl)
        self._idle.append(curl)
        if len(call.body) > MAX_ANSWER_BYTES:
            return call.key, OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if failure is not None:
            return call.key, OffersUnavailable(f"The Offers service did not answer: {_plain(failure)}.")
        return call.key, Answer(status, bytes(call.body), call.retry_after_s)


def _plain(reason: str) -> str:
    """Without the figures that differ from call to call, so that equal failures read the same."""
    return re.sub(r" after \d+ ms.*| \d+ (milliseconds|bytes|out of).*", "", reason) or "no reason given"
