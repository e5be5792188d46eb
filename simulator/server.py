"""Handles a request: route, fault, answer, log, transmission."""

import json
import time
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from simulator.calls import ServiceAnswer, ServiceCall, find_route
from simulator.control import CONTROL_PATH, Control
from simulator.distortions import ErrorShapes, distort, refuse
from simulator.faults import HARMLESS, FaultRule, Faults
from simulator.log import RequestLog, RequestOutcome
from simulator.rules import Family
from simulator.wire import response_of, send_badly

_NOTHING = ServiceAnswer(0, b"")


class Contract(ErrorShapes, Protocol):
    """A generation of the Offers service."""

    def canonical_id(self, product: object) -> str: ...
    def answer(self, call: ServiceCall) -> ServiceAnswer: ...


class OffersServer:
    """Handles every request of the process."""

    def __init__(self, *, contract: Contract, control: Control, faults: Faults, log: RequestLog) -> None:
        self._contract = contract
        self._control = control
        self._faults = faults
        self._log = log

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = time.time()
        path, _, query = request.raw_path.partition("?")
        if path.startswith(CONTROL_PATH):
            return await self._control.handle(request, path, query)
        route = find_route(path)
        if route is None:
            return response_of(self._contract.problem(404, "Not Found"))
        if request.method != route.method:
            return response_of(self._contract.problem(405, "Method Not Allowed"))
        body = await request.read() if request.body_exists else b""
        call = ServiceCall(route.call, request.headers.get("Bearer"), route.product, body)
        return await self._serve(request, call, arrived)

    async def _serve(self, request: web.BaseRequest, call: ServiceCall, arrived: float) -> web.StreamResponse:
        product = self._product_of(call)
        rule = self._faults.choose(call.name, product)
        if rule is None:
            answer = self._contract.answer(call)
        else:
            answer, rule = self._faulty_answer(rule, call, request)
        self._log.append(
            arrived, _outcome(call, answer, rule), product=product, tick=_tick_shown(answer, rule)
        )
        if rule is None:
            return response_of(answer)
        rule.fired += 1
        if rule.family in {Family.SILENCE, Family.WIRE}:
            return await send_badly(rule.kind, request, answer, rule.settings)
        return response_of(answer)

    def _faulty_answer(
        self, rule: FaultRule, call: ServiceCall, request: web.BaseRequest
    ) -> tuple[ServiceAnswer, FaultRule | None]:
        """The answer, and the rule if it changed something."""
        if rule.family in {Family.SILENCE, Family.REFUSAL}:
            if rule.settings.get("arrives"):
                self._contract.answer(call)
            if rule.family is Family.SILENCE:
                return _NOTHING, rule
            return refuse(rule, self._contract, elsewhere=_same_address_by_another_name(request)), rule
        answer = self._contract.answer(call)
        if rule.family is Family.WIRE:
            return answer, rule
        if answer.status >= HTTPStatus.BAD_REQUEST:
            # An error has no content to change: the rule does not fire.
            return answer, None
        return distort(rule, call, answer), rule

    def _product_of(self, call: ServiceCall) -> str | None:
        if call.name == "auth":
            return None
        sent = call.product if call.name == "offers" else _id_in(call.body)
        return None if sent is None else self._contract.canonical_id(sent)


def _id_in(body: bytes) -> Any:
    try:
        product = json.loads(body)
    except ValueError:
        return None
    return product.get("id") if isinstance(product, dict) else None


def _outcome(call: ServiceCall, answer: ServiceAnswer, rule: FaultRule | None) -> RequestOutcome:
    if rule is None:
        return RequestOutcome(call.name, answer.status, None)
    if rule.family is Family.SILENCE:
        return RequestOutcome(call.name, None, rule.kind)
    status = 200 if rule.kind == "oversized" else answer.status
    return RequestOutcome(call.name, status, rule.kind, answer.spoilt)


def _tick_shown(answer: ServiceAnswer, rule: FaultRule | None) -> int | None:
    return answer.tick if rule is None or rule.kind in HARMLESS or answer.spoilt else None


def _same_address_by_another_name(request: web.BaseRequest) -> str:
    name, _, port = request.host.rpartition(":")
    other_name = "127.0.0.1" if name == "localhost" else "localhost"
    return f"http://{other_name}:{port}{request.raw_path}"
