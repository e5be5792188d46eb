"""Carries the contract over HTTP with `requests`, one call at a time."""

import time

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
    # The timeout of `requests` starts anew with each piece that arrives: a slow drip needs this clock.
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise OffersProtocolError(f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        if time.monotonic() > deadline:
            raise OffersUnavailable("The Offers service did not answer in time.")
    return bytes(body)
