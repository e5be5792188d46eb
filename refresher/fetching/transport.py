"""Many calls at once over libcurl: requests in, answers out, in the order in which they arrive.

One thread drives all connections. libcurl bounds each call as a whole, which `requests` cannot do, at a
fraction of its processor time; connections are reused, and HTTP/2 is spoken where the service offers it.
"""

import os
import re
import selectors
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import certifi
import pycurl

from productator.errors import OffersProtocolError, OffersServiceError, OffersUnavailable
from productator.offers_service import contract
from productator.offers_service.contract import MAX_ANSWER_BYTES, Answer, Request

Reply = Answer | OffersServiceError

_CONNECT_TIMEOUT_MS = 3_000
_RETRY_AFTER = re.compile(rb"^retry-after:(.*)$", re.IGNORECASE | re.MULTILINE)


class _Call:
    """A request under way and what has arrived of its answer; kept for the next one when it has ended."""

    def __init__(self, timeout_s: float, *, ca_file: str) -> None:
        self.key: Any = None
        self.curl = pycurl.Curl()
        self._head: list[bytes] = []
        self._body = bytearray()
        # The token that the handle is set to read with; None: it is set to something else.
        self._reads_with: str | None = None
        self.curl.setopt(pycurl.NOSIGNAL, True)
        self.curl.setopt(pycurl.FOLLOWLOCATION, False)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, _CONNECT_TIMEOUT_MS)
        self.curl.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1000))
        self.curl.setopt(pycurl.CAINFO, ca_file)
        self.curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def prepare(self, key: Any, url: str, request: Request, token: str, *, may_share: bool) -> None:
        """Sets what differs from the last call: with most, the address only.

        `may_share`: rather wait for a connection that is being opened than open one more.
        """
        self.key = key
        self.curl.setopt(pycurl.PIPEWAIT, may_share)
        self.curl.setopt(pycurl.URL, url)
        if request.body is not None:
            headers = [f"Bearer: {token}", "Content-Type: application/json", "Expect:"]
            self.curl.setopt(pycurl.POST, True)
            self.curl.setopt(pycurl.POSTFIELDS, request.body)
            self.curl.setopt(pycurl.HTTPHEADER, headers)
            self._reads_with = None
        elif self._reads_with != token:
            self.curl.setopt(pycurl.HTTPGET, True)
            self.curl.setopt(pycurl.HTTPHEADER, [f"Bearer: {token}"])
            self._reads_with = token

    def reply(self, failure: str | None) -> Reply:
        # Nothing is kept: bodies are long, and hundreds of calls may then be idle.
        head, body, self._body = b"".join(self._head), bytes(self._body), bytearray()
        self._head.clear()
        if len(body) > MAX_ANSWER_BYTES:
            return OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if failure is not None:
            return OffersUnavailable(f"The Offers service did not answer: {_plain(failure)}.")
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return Answer(status, body, None if status == HTTPStatus.OK else self._pause_s(head))

    def _pause_s(self, head: bytes) -> float | None:
        """How long the service asks to be left alone."""
        found = _RETRY_AFTER.search(head)
        # libcurl overlooks numbers of more than 64 bits, and takes some of eight digits for dates.
        if found and (seconds := contract.retry_after(found[1].decode("latin-1"))) is not None:
            return seconds
        # 0: there is no date, or it is over.
        return self.curl.getinfo(pycurl.RETRY_AFTER) or None

    @property
    def went_over_http2(self) -> bool:
        """Whether its connection carries many calls at once."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0)

    def _take(self, piece: bytes) -> int | None:
        self._body += piece
        # Any other number than the piece's length makes libcurl end the call.
        return 0 if len(self._body) > MAX_ANSWER_BYTES else None


class Transport:
    def __init__(
        self, base_url: str, *, concurrency: int, timeout_s: float, ca_file: str | None = None
    ) -> None:
        """`ca_file`: the authorities that certificates are checked against; None: those of `certifi`."""
        self._base_url = base_url
        self.timeout_s = timeout_s
        self._ca_file = ca_file or certifi.where()
        self._concurrency = concurrency
        self._under_way: dict[pycurl.Curl, _Call] = {}
        self._idle: list[_Call] = []
        # Calls that could not even be begun.
        self._refused: list[tuple[Any, Reply]] = []
        # Whether calls may wait for each other's connections, as the last call has shown: where none carries
        # many calls the wait would be for a whole answer, and for nothing where it hangs.
        self._may_share = False
        self._selector = selectors.DefaultSelector()
        # What the selector watches: asking it costs more than the rest of a call.
        self._watched: dict[int, int] = {}
        self._wake_at: float | None = None
        self._alarm, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._selector.register(self._alarm, selectors.EVENT_READ)
        self._is_woken = False
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, concurrency)
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    @property
    def room(self) -> int:
        return self._concurrency - len(self._under_way)

    def send(self, key: Any, request: Request, *, token: str) -> None:
        """Starts a call; `receive` gives its reply under the same key."""
        try:
            call = self._idle.pop() if self._idle else _Call(self.timeout_s, ca_file=self._ca_file)
            call.prepare(key, self._base_url + request.path, request, token, may_share=self._may_share)
            self._multi.add_handle(call.curl)
        except pycurl.error as error:
            # What libcurl does not take is this call's failure; the handle is not used again.
            self._refused.append((key, OffersUnavailable(f"The call could not be made: {error.args[-1]}.")))
        else:
            self._under_way[call.curl] = call

    def receive(self, wait_s: float) -> list[tuple[Any, Reply]]:
        """The replies that have arrived; waits up to `wait_s` for the first, or to be woken."""
        deadline = time.monotonic() + wait_s
        while True:
            now = time.monotonic()
            wake_at = deadline if self._wake_at is None else min(deadline, self._wake_at)
            self._drive(0.0 if self._refused else max(0.0, wake_at - now))
            replies = self._finished()
            if replies or self._is_woken or time.monotonic() >= deadline:
                self._is_woken = False
                return replies

    def wake(self) -> None:
        """Ends the wait of `receive`, this one or the next; may be called from any thread."""
        with suppress(OSError):  # it has been woken often enough, or is closed
            os.write(self._waker, b"w")

    def close(self) -> None:
        """Ends all calls at once."""
        for call in self._under_way.values():
            self._multi.remove_handle(call.curl)
        for call in [*self._under_way.values(), *self._idle]:
            call.curl.close()
        self._under_way.clear()
        self._idle.clear()
        self._multi.close()
        self._selector.close()
        for end in (self._alarm, self._waker):
            os.close(end)
        # Who wakes it from now on must not write to a file that has got this number.
        self._waker = -1

    def _drive(self, wait_s: float) -> None:
        events = self._selector.select(wait_s)
        for key, mask in events:
            if key.fd == self._alarm:
                os.read(self._alarm, 4096)
                self._is_woken = True
                continue
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
            if self._watched.pop(fd, None):
                self._selector.unregister(fd)
            return
        mask = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if fd not in self._watched:
            self._selector.register(fd, mask)
        elif mask != self._watched[fd]:
            self._selector.modify(fd, mask)
        self._watched[fd] = mask

    def _set_timer(self, timeout_ms: int) -> None:
        """libcurl tells when it wants to be called though nothing has arrived."""
        self._wake_at = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000

    def _finished(self) -> list[tuple[Any, Reply]]:
        replies, self._refused = self._refused, []
        more = True
        while more:
            more, succeeded, failed = self._multi.info_read()
            replies += [self._end(curl, None) for curl in succeeded]
            replies += [self._end(curl, reason) for curl, _code, reason in failed]
        return replies

    def _end(self, curl: pycurl.Curl, failure: str | None) -> tuple[Any, Reply]:
        call = self._under_way.pop(curl)
        self._may_share = call.went_over_http2
        self._multi.remove_handle(curl)
        self._idle.append(call)
        return call.key, call.reply(failure)


def _plain(reason: str) -> str:
    """Without the figures that differ from call to call, so that equal failures read the same."""
    return re.sub(r" after \d+ ms.*| \d+ (milliseconds|bytes|out of).*", "", reason) or "no reason given"
