"""Many POSTs at once over libcurl, to public addresses only."""

import socket
import time
from collections.abc import Collection
from datetime import timedelta
from http import HTTPStatus
from importlib import metadata
from typing import NamedTuple

import certifi
import pycurl

from notifier.queue.claims import DeliveryClaim
from notifier.queue.results import DeliveryOutcome
from notifier.sending.formats import HttpRequest
from productator.alerts.networks import is_refused
from productator.domain import Network
from productator.outgoing import CurlFailure
from productator.workers.curl_loop import CurlLoop

CONNECT_TIMEOUT_S = 5
TIMEOUT_S = 15
# Nobody reads what a receiver answers.
_MOST_BYTES = 64 * 1024
_LONGEST_WAIT_S = 86_400


class _SocketAddress(NamedTuple):
    """What libcurl is about to connect to."""

    family: int
    type: int
    protocol: int
    address: tuple[str, int]


class _Call:
    """One handle; each of its sockets is checked when it is opened, so no name is looked up twice."""

    def __init__(self, allowed: Collection[Network], timeout_s: float, user_agent: str) -> None:
        self._allowed = allowed
        self.refused: str | None = None
        self._received = 0
        self._opened: socket.socket | None = None
        curl = self.curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.FOLLOWLOCATION, False)
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        # A proxy would open the socket to the receiver, where nobody checks it.
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_S * 1000)
        curl.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1000))
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.USERAGENT, user_agent)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        curl.setopt(pycurl.WRITEFUNCTION, self._receive)

    def prepare(self, request: HttpRequest) -> None:
        self.refused, self._received = None, 0
        self.curl.setopt(pycurl.URL, request.url)
        # Without `Expect`: libcurl would wait for a receiver that does not know it.
        headers = [f"{name}: {value}" for name, value in request.headers.items()] + ["Expect:"]
        self.curl.setopt(pycurl.HTTPHEADER, headers)
        self.curl.setopt(pycurl.POST, True)
        self.curl.setopt(pycurl.POSTFIELDS, request.body)

    def _open(self, _purpose: int, given: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        target = _SocketAddress._make(given)
        host = target.address[0]
        if target.family not in (socket.AF_INET, socket.AF_INET6) or is_refused(host, self._allowed):
            self.refused = host
            return int(pycurl.SOCKET_BAD)
        self._close_copy()
        self._opened = socket.socket(target.family, target.type, target.protocol)
        return self._opened

    def _close_copy(self) -> None:
        """libcurl has a copy of the socket that it was given, and leaves the given one to us."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _receive(self, piece: bytes) -> int | None:
        self._received += len(piece)
        # Any other number than the piece's length makes libcurl end the call; the status is known by then.
        return 0 if self._received > _MOST_BYTES else None

    def close(self) -> None:
        self._close_copy()
        self.curl.close()

    def outcome(self, claim: DeliveryClaim, failure: str | None) -> DeliveryOutcome:
        self._close_copy()
        status = self.curl.getinfo(pycurl.RESPONSE_CODE) or None
        if failure is not None and not (status and self._received > _MOST_BYTES):
            return DeliveryOutcome(claim, self._reason(failure), status)
        if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return DeliveryOutcome(claim, None, status)
        wait_s = min(self.curl.getinfo(pycurl.RETRY_AFTER), _LONGEST_WAIT_S)
        is_redirect = status is not None and status < HTTPStatus.BAD_REQUEST
        error = f"status {status}" + (": redirects are not followed" if is_redirect else "")
        return DeliveryOutcome(claim, error, status, timedelta(seconds=wait_s) if wait_s > 0 else None)

    def _reason(self, failure: str) -> str:
        if self.refused is not None:
            return f"{self.refused} is not a public address, and PRODUCTATOR_ALERT_NETWORKS does not allow it"
        return failure


class HttpSender:
    """Sends from one thread; `receive` returns what has ended."""

    def __init__(
        self, allowed: Collection[Network], *, concurrency: int, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._allowed = allowed
        self._timeout_s = timeout_s
        # Read once: it is a file.
        self._user_agent = f"Productator/{metadata.version('productator')}"
        self._loop = CurlLoop(connections=concurrency)
        self._under_way: dict[pycurl.Curl, tuple[DeliveryClaim, _Call]] = {}
        self._idle: list[_Call] = []
        # Calls that libcurl refused to start.
        self._refused: list[DeliveryOutcome] = []

    def send(self, claim: DeliveryClaim, request: HttpRequest) -> None:
        call = self._idle.pop() if self._idle else self._new_call()
        try:
            call.prepare(request)
            self._loop.add(call.curl)
        except pycurl.error as error:
            # The handle is not used again.
            self._refused.append(DeliveryOutcome(claim, f"the call could not be made: {error.args[-1]}"))
        else:
            self._under_way[call.curl] = claim, call

    def _new_call(self) -> _Call:
        return _Call(self._allowed, self._timeout_s, self._user_agent)

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def receive(self, wait_s: float) -> list[DeliveryOutcome]:
        """What has ended; waits up to `wait_s` for the first one, or to be woken."""
        deadline = time.monotonic() + wait_s
        while True:
            is_woken = self._loop.wait(until=0.0 if self._refused else deadline)
            outcomes, self._refused = self._refused, []
            outcomes += [self._end(curl, failure) for curl, failure in self._loop.ended()]
            if outcomes or is_woken or time.monotonic() >= deadline:
                return outcomes

    def wake(self) -> None:
        """Ends the wait of `receive`, this one or the next; any thread may call it."""
        self._loop.wake()

    def close(self) -> None:
        """Ends all calls at once."""
        for curl in list(self._under_way):
            self._loop.remove(curl)
        for call in [*(each for _, each in self._under_way.values()), *self._idle]:
            call.close()
        self._under_way.clear()
        self._idle.clear()
        self._loop.close()

    def _end(self, curl: pycurl.Curl, failure: CurlFailure | None) -> DeliveryOutcome:
        claim, call = self._under_way.pop(curl)
        outcome = call.outcome(claim, None if failure is None else failure.reason)
        self._loop.remove(curl)
        self._idle.append(call)
        return outcome
