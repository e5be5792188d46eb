"""Faults in an answer: refusals, and answers with wrong content. Pure."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from simulator.calls import ServiceAnswer, ServiceCall, SpoiltOffer, json_answer, reason_of
from simulator.faults import FaultRule

_HUGE = 2**70
_WRONG: dict[str, Any] = {"string": "12", "float": 12.5, "bool": True, "null": None}
_HTML = "text/html"
# With fewer offers, a list with a bad one has no good one.
_GOOD_AND_BAD = 2


class ErrorShapes(Protocol):
    """How a generation answers errors."""

    def problem(self, status: int, text: str) -> ServiceAnswer: ...
    def unauthorized(self) -> ServiceAnswer: ...
    def not_registered(self) -> ServiceAnswer: ...


def refuse(rule: FaultRule, errors: ErrorShapes, *, elsewhere: str) -> ServiceAnswer:
    """The answer of a rule that refuses the call; `elsewhere` is the default target of a redirect."""
    match rule.kind:
        case "unauthorized":
            return errors.unauthorized()
        case "unregistered":
            return errors.not_registered()
        case "too_many":
            wait = rule.settings["retry_after"]
            return _retry_after(errors.problem(429, "Too many requests"), 1 if wait is None else wait)
        case "redirect":
            return ServiceAnswer(302, b"", _HTML, (("Location", rule.settings["location"] or elsewhere),))
        case _:
            return _retry_after(_with_status(rule.settings["status"], errors), rule.settings["retry_after"])


def _with_status(status: int, errors: ErrorShapes) -> ServiceAnswer:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServiceAnswer(status, _page(f"{status} {reason_of(status)}"), _HTML)
    return errors.problem(status, reason_of(status))


def _retry_after(answer: ServiceAnswer, wait: int | str | None) -> ServiceAnswer:
    return answer if wait is None else answer._replace(headers=(("Retry-After", str(wait)),))


def _page(title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()


def distort(rule: FaultRule, call: ServiceCall, answer: ServiceAnswer) -> ServiceAnswer:
    """A successful answer with wrong content (or, with `extra_fields`, only unusual content)."""
    if rule.kind == "invalid_json":
        return answer._replace(body=answer.body[:-1] + b',{"id":', tick=None)
    if rule.kind == "html":
        return ServiceAnswer(200, _page("Welcome"), _HTML)
    content = json.loads(answer.body)
    if rule.kind == "extra_fields":
        return json_answer(answer.status, _with_extra_fields(content))._replace(tick=answer.tick)
    if rule.kind == "wrong_shape":
        wrong = {"offers": content} if call.name == "offers" else [content]
        return json_answer(answer.status, wrong)
    if rule.kind == "empty":
        return json_answer(answer.status, [])
    return _with_one_bad_offer(rule, answer, content)


def _with_one_bad_offer(
    rule: FaultRule, answer: ServiceAnswer, content: list[dict[str, Any]]
) -> ServiceAnswer:
    wrong_answer = json_answer(answer.status, _one_spoilt(rule, content))
    if rule.kind == "duplicate_ids" or len(content) < _GOOD_AND_BAD:
        return wrong_answer
    spoilt = SpoiltOffer(str(content[-1]["id"]), has_id=rule.settings["field"] != "id")
    return wrong_answer._replace(tick=answer.tick, spoilt=spoilt)


def _with_extra_fields(content: Any) -> Any:
    if isinstance(content, list):
        return [_with_extra_fields(offer) for offer in content]
    return {"seller": {"name": "Ours", "rating": 4.5}, **dict(reversed(content.items())), "tags": ["new"]}


def _one_spoilt(rule: FaultRule, offers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only the last offer is bad: a client that stores one by one has stored the others by then."""
    # A product without offers gets one, so that every fault that fires is visible.
    *good, last = offers or [{"id": 1, "price": 100, "items_in_stock": 1}]
    return [*good, *_BAD_OFFERS[rule.kind](last, rule.settings)]


def _duplicated(offer: dict[str, Any], _settings: dict[str, Any]) -> list[dict[str, Any]]:
    return [offer, offer | {"price": offer["price"] + 1}]


def _without_field(offer: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in offer.items() if name != settings["field"]}]


_BAD_OFFERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], list[dict[str, Any]]]] = {
    "duplicate_ids": _duplicated,
    "missing_field": _without_field,
    "negative": lambda offer, settings: [offer | {settings["field"]: -1}],
    "huge": lambda offer, settings: [offer | {settings["field"]: _HUGE}],
    "wrong_types": lambda offer, settings: [offer | {settings["field"]: _WRONG[settings["as"]]}],
}
