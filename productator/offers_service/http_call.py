"""One HTTP call to the Offers service: `outgoing.py` bounds its time, this file its size."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import ClassVar, Protocol, cast

import pycurl

from productator import outgoing
from productator.errors import OffersProtocolError, OffersServiceError, OffersUnavailable, TooMuchAtOnce
from productator.offers_service import contract
from productator.offers_service.answer_memory import AnswerMemory
from productator.offers_service.contract import MAX_ANSWER_BYTES, OffersAnswer, OffersRequest
from productator.outgoing import CurlFailure

Reply = OffersAnswer | OffersServiceError

_RETRY_AFTER = re.compile(rb"retry-after:(.*)", re.IGNORECASE)


class CallSpan(Protocol):
    """The part of a trace that a call is."""

    # Sent with the call.
    header: str

    def end(self, *, status: int, failure: str | None) -> None: ...


class HttpCall:
    """A libcurl handle that makes one call after the other, over the same connection where it can."""

    # Set where the program records traces. Makes the span of a call from its method and path.
    new_span: ClassVar[Callable[[str, str], CallSpan] | None] = None

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float,
        ca_file: str | None = None,
        memory: AnswerMemory | None = None,
    ) -> None:
        """`memory`: what this call and others share; None: it has its own."""
        self.curl = outgoing.new_handle(timeout_s=timeout_s, ca_file=ca_file)
        self._base_url = base_url
        self._retry_after: str | None = None
        self._body = bytearray()
        self._memory = memory or AnswerMemory()
        self._has_room = True
        # The access token that the handle is set to read with; None: it is set to something else.
        self._reads_with: str | None = None
        self._span: CallSpan | None = None
        self.curl.setopt(pycurl.HEADERFUNCTION, self._receive_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._receive)

    def send(self, request: OffersRequest, *, token: str | None) -> OffersAnswer:
        """Makes a call and waits for its answer; raises OffersServiceError if there is none."""
        failure = None
        try:
            self.prepare(request, token=token)
            self.curl.perform()
        except pycurl.error as error:
            failure = CurlFailure(*error.args)
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

    def reply(self, failure: CurlFailure | None) -> Reply:
        """The reply to the call that has ended."""
        # Nothing of it is kept: answers are long, and hundreds of handles may then be idle.
        body, self._body = bytes(self._body), bytearray()
        retry_after, self._retry_after = self._retry_after, None
        has_room, self._has_room = self._has_room, True
        self._memory.give_back(len(body))
        if self._span is not None:
            reason = None if failure is None else failure.reason
            self._span.end(status=self.curl.getinfo(pycurl.RESPONSE_CODE), failure=reason)
        if len(body) > MAX_ANSWER_BYTES:
            return OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if not has_room:
            return TooMuchAtOnce()
        if failure is not None:
            return _error(failure)
        status = cast("int", self.curl.getinfo(pycurl.RESPONSE_CODE))
        if status == HTTPStatus.OK:
            return OffersAnswer(status, body)
        return OffersAnswer(
            status, body, self._retry_after_s(retry_after), outgoing.redirect_target(self.curl)
        )

    @property
    def used_http2(self) -> bool:
        """Whether the connection of the last call carries many calls at once."""
        return bool(self.curl.getinfo(pycurl.INFO_HTTP_VERSION) == pycurl.CURL_HTTP_VERSION_2_0)

    def _receive(self, piece: bytes) -> int | None:
        self._body += piece
        self._has_room = self._memory.take(len(piece))
        # Any other number than the piece's length makes libcurl end the call.
        return None if self._has_room and len(self._body) <= MAX_ANSWER_BYTES else 0

    def _receive_header(self, line: bytes) -> None:
        if found := _RETRY_AFTER.match(line):
            self._retry_after = found[1].decode("latin-1")

    def _retry_after_s(self, value: str | None) -> float | None:
        # libcurl ignores numbers of more than 64 bits, and takes some numbers of eight digits for dates.
        if (seconds := contract.retry_after(value)) is not None:
            return seconds
        # 0: there is no date, or it has passed.
        return self.curl.getinfo(pycurl.RETRY_AFTER) or None


def _error(failure: CurlFailure) -> OffersServiceError:
    if failure.code == pycurl.E_BAD_CONTENT_ENCODING:
        return OffersProtocolError("The answer cannot be unpacked: it is no gzip, though it says so.")
    return OffersUnavailable(f"The Offers service did not answer: {failure.reason}.")


def _token_header(token: str | None) -> list[str]:
    """libcurl sends what it is given, line ends included; settings and contract admit no such characters."""
    return [] if token is None else [f"Bearer: {token}"]
