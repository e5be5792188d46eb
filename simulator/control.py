"""Control of the simulator, under /control, for tests and demonstrations: JSON, no token. Requests of other
sites' pages, and to names of others, get 403.

GET    /control/faults                the active fault rules, each with how often it "fired"
PUT    /control/faults                a list of rules (see rules.py), replacing all (204; impossible: 422)
DELETE /control/faults                removes all rules (204)
GET    /control/clock                 {"tick", "tick_seconds"}
POST   /control/tick                  {"ticks": n}: moves the market at once; answers {"tick"}
POST   /control/prices                {"percent": n}: all prices are n % of the market's from a new tick on
POST   /control/forget                {"products": [ids] | null}: drops registrations; answers {"forgotten"}
POST   /control/expire                all access tokens become invalid; answers {"expired"}
GET    /control/products              {"count", "products": [ids]}: registered by any client
GET    /control/products/{id}/offers  {"product", "tick", "offers"}: the true offers; ?tick=N: at tick N
GET    /control/log                   JSON Lines, one a request; ?since=N: only those with "n" above N
DELETE /control/log                   clears log and counts (204); numbering continues
GET    /control/counts                {"auth": {"201": 1}, "register": {}, "offers": {"200": 7, "none": 1}}

An entry of the log: {"n", "time", "call", "product", "status", "fault"}. The status is null when none was
sent; "tick" is there when the answer shows the market of that tick, and "spoilt" names the offer that it
shows wrongly: {"id", "has_id": whether the answer says whose it is}. The entry is written before the answer
is sent.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

from aiohttp import web

from simulator.browsers import is_foreign
from simulator.calls import ControlError, ServiceAnswer, json_answer
from simulator.faults import Faults
from simulator.identities import Identity
from simulator.listings import Listings, offers_json
from simulator.log import RequestLog
from simulator.market import PriceLevel
from simulator.rules import is_count, is_id_list
from simulator.wire import response_of

CONTROL_PATH = "/control/"
_LINES_AT_ONCE = 2_000
_MAX_TICKS = 1_000_000
_MAX_PERCENT = 1_000
_NO_CONTENT = ServiceAnswer(204, b"")
_OFFERS = re.compile("products/([^/]+)/offers")


class IssuedTokens(Protocol):
    """The identities of a generation."""

    def all(self) -> list[Identity]: ...
    def expire(self) -> int: ...


class Control:
    """Answers the requests under /control."""

    def __init__(
        self,
        *,
        tokens: IssuedTokens,
        canonical_id: Callable[[object], str],
        listings: Listings,
        faults: Faults,
        log: RequestLog,
    ) -> None:
        self._tokens = tokens
        self._canonical_id = canonical_id
        self._listings = listings
        self._faults = faults
        self._log = log
        self._routes: dict[str, Callable[[Any], ServiceAnswer]] = {
            "GET faults": lambda _: json_answer(200, self._faults.listing()),
            "PUT faults": self._replace_faults,
            "DELETE faults": lambda _: self._replace_faults([]),
            "GET clock": lambda _: self._clock(),
            "POST tick": self._advance,
            "POST prices": self._set_prices,
            "POST forget": self._forget,
            "POST expire": lambda _: json_answer(200, {"expired": self._tokens.expire()}),
            "GET products": lambda _: self._products(),
            "DELETE log": lambda _: self._clear_log(),
            "GET counts": lambda _: json_answer(200, self._log.counts()),
        }

    async def handle(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        name = path.removeprefix(CONTROL_PATH)
        if is_foreign(request.headers):
            return response_of(_error(403, "The control answers no browser on behalf of another site."))
        parameters = {key: values[-1] for key, values in parse_qs(query).items()}
        try:
            if (request.method, name) == ("GET", "log"):
                lines = self._log.json_lines(since=_count_in(parameters, "since", default=0))
                return await _send_lines(request, lines)
            # Not request.read(): its limit of 1 MiB is too low for the ids of 100,000 products.
            content = _parsed(await request.content.read())
            return response_of(self._answer(request.method, name, parameters, content))
        except ControlError as error:
            return response_of(_error(422, str(error)))

    def _answer(self, method: str, name: str, parameters: dict[str, str], content: Any) -> ServiceAnswer:
        if route := self._routes.get(f"{method} {name}"):
            return route(content)
        if (match := _OFFERS.fullmatch(name)) and method == "GET":
            tick = _count_in(parameters, "tick", default=self._listings.clock.tick())
            return self._true_offers(self._canonical_id(unquote(match[1])), tick)
        known = {route.partition(" ")[2] for route in self._routes}
        if match or name in known:
            return _error(405, f"/control/{name} does not support {method}.")
        return _error(404, f"There is no /control/{name}.")

    def _replace_faults(self, content: Any) -> ServiceAnswer:
        self._faults.replace(content)
        return _NO_CONTENT

    def _clock(self) -> ServiceAnswer:
        clock = self._listings.clock
        return json_answer(200, {"tick": clock.tick(), "tick_seconds": clock.tick_s})

    def _advance(self, content: Any) -> ServiceAnswer:
        ticks = _object(content).get("ticks", 1)
        if not is_count(ticks) or ticks > _MAX_TICKS:
            raise ControlError(f"ticks must be a whole number from 0 to {_MAX_TICKS}.")
        self._listings.clock.advance(ticks)
        return json_answer(200, {"tick": self._listings.clock.tick()})

    def _set_prices(self, content: Any) -> ServiceAnswer:
        percent = _object(content).get("percent", 0)
        if not is_count(percent) or not 0 < percent <= _MAX_PERCENT:
            raise ControlError(f"percent must be a whole number from 1 to {_MAX_PERCENT}.")
        clock = self._listings.clock
        # What was shown stays true of its tick.
        clock.advance(1)
        self._listings.market.set_level(PriceLevel(clock.tick(), percent))
        return json_answer(200, {"tick": clock.tick(), "percent": percent})

    def _forget(self, content: Any) -> ServiceAnswer:
        products = _object(content).get("products")
        if products is not None and not is_id_list(products):
            raise ControlError("products must be a list of product ids, or null for all.")
        ids = None if products is None else [self._canonical_id(product) for product in products]
        return json_answer(200, {"forgotten": sum(identity.forget(ids) for identity in self._tokens.all())})

    def _products(self) -> ServiceAnswer:
        ids: set[str] = set().union(*(identity.products for identity in self._tokens.all()))
        return json_answer(200, {"count": len(ids), "products": sorted(ids)})

    def _true_offers(self, product: str, tick: int) -> ServiceAnswer:
        offers = offers_json(self._listings.market.offers(product, tick))
        return json_answer(200, {"product": product, "tick": tick, "offers": offers})

    def _clear_log(self) -> ServiceAnswer:
        self._log.clear()
        return _NO_CONTENT


async def _send_lines(request: web.BaseRequest, lines: Iterator[str]) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/x-ndjson"
    await response.prepare(request)
    while some := "".join(islice(lines, _LINES_AT_ONCE)):
        await response.write(some.encode())
        # Lets other requests run while a long log is sent.
        await asyncio.sleep(0)
    return response


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError as error:
        raise ControlError("The body is not JSON.") from error


def _object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ControlError("The body must be an object.")
    return content


def _count_in(parameters: dict[str, str], name: str, *, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise ControlError(f"{name} must be a whole number, 0 or more.")
    return int(text)


def _error(status: int, sentence: str) -> ServiceAnswer:
    return json_answer(status, {"error": sentence})
