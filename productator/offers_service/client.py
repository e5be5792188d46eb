"""Carries the contract over HTTP with `requests`, one call at a time."""

import threading
import time
from concurrent.futures import Future

import requests
import urllib3

from productator.errors import OffersProtocolError, OffersUnavailable
from productator.offers_service.contract import MAX_ANSWER_BYTES, Answer, Request, retry_after

_CONNECT_TIMEOUT_S = 3
_PIECE = 64 * 1024


class OffersClient:
    def __init__(self, http: requests.Session, base_url: str, *, timeout_s: float) -> None:
        self._http = http
        self._base_url = base_url
        self._timeout_s = timeout_s

    def send(self, request: Request, *, token: str | None) -> Answer:
        """One call; raises OffersUnavailable when no whole answer arrives in time."""
        # The timeout of `requests` starts anew with each byte that arrives, and headers can come in drips:
        # when its time is over the call is left behind in a thread of its own.
        answer: Future[Answer] = Future()
        call = (answer, request, token)
        threading.Thread(target=self._fulfil, args=call, name="offers-service", daemon=True).start()
        try:
            return answer.result(self._timeout_s)
        except TimeoutError as exc:
            raise OffersUnavailable("The Offers service did not answer in time.") from exc

    def _fulfil(self, answer: Future[Answer], request: Request, token: str | None) -> None:
        try:
            answer.set_result(self._call(request, token))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is raised where the answer is awaited
            answer.set_exception(exc)

    def _call(self, request: Request, token: str | None) -> Answer:
        headers = {"Bearer": token} if token else {}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._http.request(
                request.method,
                self._base_url + request.path,
                data=request.body,
                headers=headers,
                timeout=(_CONNECT_TIMEOUT_S, self._timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = _bounded_body(response, deadline)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise OffersUnavailable(f"The Offers service did not answer: {type(exc).__name__}.") from exc
        return Answer(response.status_code, body, retry_after(response.headers.get("Retry-After")))


def _bounded_body(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # Nobody awaits the answer any more after the deadline: this ends the thread.
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if time.monotonic() > deadline:
            raise OffersUnavailable("The Offers service did not answer in time.")
    return bytes(body)
