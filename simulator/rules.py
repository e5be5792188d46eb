"""Fault rules in JSON: the kinds of fault, and the validation of rules.

A rule: {"kind", "share": 0..1, "calls": ["auth", "register", "offers"], "products": [ids], "times": n, ...}.
Only "kind" is required. The first rule that applies to a call is used: a call gets at most one fault.

kind            parameters (default)             what the client sees
latency         seconds (1)                      the true answer, late
status          status (503), retry_after,       that status; from 500 up with an HTML body
                arrives (false)
timeout         arrives (false)                  no answer; the connection stays open
reset           arrives (false)                  a TCP reset
close           arrives (false)                  the connection closed without an answer
drip            seconds (1)                      headers at once, then the body byte by byte
drip_headers    seconds (1)                      the headers byte by byte, then the body
truncated                                        half of the body, then the connection closed
invalid_json                                     a body that is not JSON
html                                             200 with an HTML page
wrong_shape                                      an object for a list, a list for an object
wrong_types     field (price), as (string)       offers: a string, float, bool or null for a number
negative        field (price)                    offers: -1
huge            field (price)                    offers: 2**70
missing_field   field (price)                    offers: one without the field
duplicate_ids                                    offers: two with the same id
empty                                            offers: an empty list, which is legal
extra_fields                                     unknown fields and a different order of keys, which is legal
oversized       size (50,000,000),               JSON of `size` bytes that begins with offers, chunked; with
                declared (false)                 `declared`, with a Content-Length instead
unauthorized                                     401 although the token is valid
too_many        retry_after (1), arrives (false) 429 with Retry-After
redirect        location                         302; by default to this server by another host name
unregistered                                     offers: 404 although registered

With `arrives`, the service performs the call before the fault: a registration is made. Kinds that change the
content apply to successful answers only. They change the last offer of a product, so that a client that
stores offers one by one has stored the others by then. A good client stores the good offers of wrong_types,
negative, huge and missing_field, and leaves the wrong one as it was; with all other wrong content (two offers
of one id included) it leaves everything as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from simulator.calls import CALLS, ControlError

FIELDS = ("id", "price", "items_in_stock")
WRONG_TYPES = ("string", "float", "bool", "null")
_ERROR_STATUSES = range(400, 600)
_OFFERS = ("offers",)


class Family(Enum):
    """What a fault changes."""

    REFUSAL = auto()  # a different answer; the service does nothing
    SILENCE = auto()  # no answer at all
    CONTENT = auto()  # a successful answer with wrong content
    WIRE = auto()  # the true answer, sent wrongly


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: the parameters it takes and the calls it can apply to."""

    family: Family
    parameters: tuple[str, ...] = ()
    calls: tuple[str, ...] = CALLS


FAULT_KINDS = {
    "latency": FaultKind(Family.WIRE, ("seconds",)),
    "status": FaultKind(Family.REFUSAL, ("status", "retry_after", "arrives")),
    "timeout": FaultKind(Family.SILENCE, ("arrives",)),
    "reset": FaultKind(Family.SILENCE, ("arrives",)),
    "close": FaultKind(Family.SILENCE, ("arrives",)),
    "drip": FaultKind(Family.WIRE, ("seconds",)),
    "drip_headers": FaultKind(Family.WIRE, ("seconds",)),
    "truncated": FaultKind(Family.WIRE),
    "invalid_json": FaultKind(Family.CONTENT),
    "html": FaultKind(Family.CONTENT),
    "wrong_shape": FaultKind(Family.CONTENT),
    "wrong_types": FaultKind(Family.CONTENT, ("field", "as"), _OFFERS),
    "negative": FaultKind(Family.CONTENT, ("field",), _OFFERS),
    "huge": FaultKind(Family.CONTENT, ("field",), _OFFERS),
    "missing_field": FaultKind(Family.CONTENT, ("field",), _OFFERS),
    "duplicate_ids": FaultKind(Family.CONTENT, (), _OFFERS),
    "empty": FaultKind(Family.CONTENT, (), _OFFERS),
    "extra_fields": FaultKind(Family.CONTENT),
    "oversized": FaultKind(Family.WIRE, ("size", "declared")),
    "unauthorized": FaultKind(Family.REFUSAL),
    "too_many": FaultKind(Family.REFUSAL, ("retry_after", "arrives")),
    "redirect": FaultKind(Family.REFUSAL, ("location",)),
    "unregistered": FaultKind(Family.REFUSAL, (), _OFFERS),
}
DEFAULTS: dict[str, Any] = {
    "seconds": 1.0,
    "status": 503,
    "retry_after": None,
    "arrives": False,
    "field": "price",
    "as": "string",
    "size": 50_000_000,
    "declared": False,
    "location": None,
}


def check_rule(content: Any) -> None:
    if not isinstance(content, dict):
        raise ControlError("Each fault rule must be an object.")
    kind = FAULT_KINDS.get(str(content.get("kind")))
    if kind is None:
        raise ControlError(f"kind must be one of {', '.join(FAULT_KINDS)}.")
    # Reading the rules adds `fired`; it is allowed so that an answer can be sent back.
    known = {"kind", "share", "calls", "products", "times", "fired", *kind.parameters}
    for name, value in content.items():
        if name not in known:
            raise ControlError(f"A rule of kind {content['kind']} has no {name}.")
        fits, sentence = _CHECKS.get(name, _ANYTHING)
        if not fits(value):
            raise ControlError(f"{name} must be {sentence}.")
    if impossible := set(content.get("calls", ())) - set(kind.calls):
        raise ControlError(
            f"A rule of kind {content['kind']} cannot apply to {', '.join(sorted(impossible))}."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_call_list(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(call in CALLS for call in value)


def is_id_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) or is_count(item) for item in value)


_ANYTHING: tuple[Callable[[Any], bool], str] = (lambda _: True, "")
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "share": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
    "calls": (_is_call_list, f"a list of some of {', '.join(CALLS)}"),
    "products": (lambda value: value is None or is_id_list(value), "a list of product ids"),
    "times": (lambda value: value is None or is_count(value), "a whole number, 0 or more"),
    "seconds": (lambda value: _is_number(value) and 0 <= value < float("inf"), "a number, 0 or more"),
    "status": (lambda value: is_count(value) and value in _ERROR_STATUSES, "from 400 to 599"),
    "retry_after": (lambda value: is_count(value) or isinstance(value, str), "seconds or an HTTP date"),
    "arrives": (lambda value: isinstance(value, bool), "true or false"),
    "field": (lambda value: value in FIELDS, f"one of {', '.join(FIELDS)}"),
    "as": (lambda value: value in WRONG_TYPES, f"one of {', '.join(WRONG_TYPES)}"),
    "size": (lambda value: is_count(value) and value > len("[]"), "a number of bytes above 2"),
    "declared": (lambda value: isinstance(value, bool), "true or false"),
    "location": (lambda value: isinstance(value, str), "an address"),
}
