"""A call of the Offers service, the answer to it, and the paths of all calls."""

import re
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

from simulator.listings import encoded

BASE_PATH = "/api/v1"
_KNOWN_STATUSES = frozenset(HTTPStatus)
CALLS = ("auth", "register", "offers")
_OFFERS_PATH = re.compile(rf"{BASE_PATH}/products/([^/]+)/offers")


class ServiceCall(NamedTuple):
    """One call of the Offers service; `product` is the text in the path."""

    name: str
    bearer: str | None = None
    product: str | None = None
    body: bytes = b""


class SpoiltOffer(NamedTuple):
    """The one offer of a list that a fault has made wrong."""

    id: str
    # Whether the answer still says which offer it is.
    has_id: bool


class ServiceAnswer(NamedTuple):
    """A complete answer; `tick` is set when the body shows that tick's market, except a `spoilt` offer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    tick: int | None = None
    spoilt: SpoiltOffer | None = None


def json_answer(status: int, content: Any) -> ServiceAnswer:
    return ServiceAnswer(status, encoded(content))


def reason_of(status: int) -> str:
    return HTTPStatus(status).phrase if status in _KNOWN_STATUSES else "Error"


class ControlError(Exception):
    """A control request that is impossible; its text is one sentence."""


class Route(NamedTuple):
    """The call and the method that a path stands for."""

    call: str
    method: str
    product: str | None = None


def find_route(path: str) -> Route | None:
    if match := _OFFERS_PATH.fullmatch(path):
        return Route("offers", "GET", unquote(match[1]))
    if path == f"{BASE_PATH}/products/register":
        return Route("register", "POST")
    if path == f"{BASE_PATH}/auth":
        return Route("auth", "POST")
    return None
