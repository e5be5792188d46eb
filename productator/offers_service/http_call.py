"""One HTTP call to the Offers service over libcurl, which bounds a call as a whole: its time and its size.

Certificates are verified, redirects are not followed. `requests` starts its timeout anew with each byte that
arrives, so a service that sends its answer in drips could hold a call for ever.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar, Protocol, cast

import certifi
import pycurl

from productator.errors import OffersProtocolError, OffersServiceError, OffersUnavailable
from productator.offers_service import contract
from productator.offers_service.contract import MAX_ANSWER_BYTES, OffersAnswer, OffersRequest

Reply = OffersAnswer | OffersServiceError

_CONNECT_TIMEOUT_MS = 3_000
_RETRY_AFTER = re.compile(rb"^retry-after:(.*)$", re.IGNORECASE | re.MULTILINE)


class CallSpan(Protocol):
    """The part of a trace that a call is."""

    # Sent with the call.
    header: str

    def end(self, *, status: int, failure: str | None) -> None: ...


class HttpCall:
    """A libcurl handle that makes one call after the other, over the same connection where it can."""

    # Set where the program records traces. Makes the span of a call from its method and path.
    new_span: ClassVar[Callable[[str, str], CallSpan] | None] = None

    def __init__(self, base_url: str, *, timeout_s: float, ca_file: str | None = None) -> None:
        """`ca_file`: the authorities that certificates are checked against; None: those of `certifi`."""
        self.curl = pycurl.Curl()
        self._base_url = base_url
        self._head: list[bytes] = []
        self._body = bytearray()
        # The access token that the handle is set to read with; None: it is set to something else.
        self._reads_with: str | None = None
        self._span: CallSpan | None = None
        self.curl.setopt(pycurl.NOSIGNAL, True)
        self.curl.setopt(pycurl.FOLLOWLOCATION, False)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, _CONNECT_TIMEOUT_MS)
        self.curl.setopt(pycurl.TIMEOUT_MS, int(timeout_s * 1000))
        self.curl.setopt(pycurl.CAINFO, ca_file or certifi.where())
        self.curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._receive)

    def send(self, request: OffersRequest, *, token: str | None) -> OffersAnswer:
        """Makes a call and waits for its answer; raises OffersServiceError if there is none."""
        failure = None
        try:
            self.prepare(request, token=token)
            self.curl.perform()
        except pycurl.error as error:
            failure = str(error.args[-1])
        reply = self.reply(failure)
        if isinstance(reply, OffersServiceError):
            raise reply
        return reply

    def prepare(self, request: OffersRequest, *, token: str | None) -> None:
        """Sets the options that differ from the last call: usually the address only."""
        self.curl.setopt(pycurl.URL, self._base_url + request.path)
        new_span = HttpCall.new_span
        self._span = None if new_span is None else new_span(request.method, request.path)
        traced = [] if self._span is None else [self._span.header]
        if request.method == "POST":
            # An empty value keeps libcurl from sending a header of its own.
            content_type = "application/json" if request.body else ""
            headers = [*_token_header(token), *traced, f"Content-Type: {content_type}", "Expect:"]
            self.curl.setopt(pycurl.POST, True)
            self.curl.setopt(pycurl.POSTFIELDS, request.body or b"")
            self.curl.setopt(pycurl.HTTPHEADER, headers)
            self._reads_with = None
        elif token is None or self._reads_with != token or traced:
            self.curl.setopt(pycurl.HTTPGET, True)
            # Never an empty list: pycurl would keep the last one, and with it a token.
            self.curl.setopt(pycurl.HTTPHEADER, [*_token_header(token), *traced, "Expect:"])
            self._reads_with = token

    def reply(self, failure: str | None) -> Reply:
        """The reply to the call that has ended; `failure`: what libcurl says if it failed."""
        # Nothing of it is kept: answers are long, and hundreds of handles may then be idle.
        head, body, self._body = b"".join(self._head), bytes(self._body), bytearray()
        self._head.clear()
        if self._span is not None:
            self._span.end(status=self.curl.getinfo(pycurl.RESPONSE_CODE), failure=failure)
        if len(body) > MAX_ANSWER_BYTES:
            return OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if failure is not None:
            return OffersUnavailable(f"The Offers service did not answer: {_without_figures(failure)}.")
        status = cast("int", self.curl.getinfo(pycurl.RESPONSE_CODE))
        return OffersAnswer(status, body, None if status == HTTPStatus.OK else self._retry_after_s(head))

    @property
    def used_http2(self) -> bool:
        """Whether the connection of the last call carries many calls at once."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0)

    def _receive(self, piece: bytes) -> int | None:
        self._body += piece
        # Any other number than the piece's length makes libcurl end the call.
        return 0 if len(self._body) > MAX_ANSWER_BYTES else None

    def _retry_after_s(self, head: bytes) -> float | None:
        found = _RETRY_AFTER.search(head)
        # libcurl ignores numbers of more than 64 bits, and takes some numbers of eight digits for dates.
        if found and (seconds := contract.retry_after(found[1].decode("latin-1"))) is not None:
            return seconds
        # 0: there is no date, or it has passed.
        return self.curl.getinfo(pycurl.RETRY_AFTER) or None


def _token_header(token: str | None) -> list[str]:
    """libcurl sends what it is given, line ends included; settings and contract admit no such characters."""
    return [] if token is None else [f"Bearer: {token}"]


def _without_figures(reason: str) -> str:
    """Equal failures read the same, though libcurl names figures that differ from call to call."""
    return re.sub(r" after \d+ ms.*| \d+ (milliseconds|bytes|out of).*", "", reason) or "no reason given"
