"""Fault rules as they are written in JSON: the kinds there are, and the check of what came in.

A rule: {"kind", "share": 0..1, "calls": ["auth", "register", "offers"], "products": [ids], "times": n, ...};
all but the kind may be left out. The first rule that strikes a call wins: a call suffers one fault at most.

kind            parameters (default)             what the client sees
latency         seconds (1)                      the right answer, late
status          status (503), retry_after,       that status; from 500 up with an HTML body
                arrives (false)
timeout         arrives (false)                  no answer; the connection is held until the client goes
reset           arrives (false)                  a TCP reset
close           arrives (false)                  the connection closed without an answer
drip            seconds (1)                      headers at once, then the body byte by byte
drip_headers    seconds (1)                      the headers byte by byte, then the body
truncated                                        half of the body, then the connection closed
invalid_json                                     a body that is no JSON
html                                             200 with an HTML page
wrong_shape                                      an object for a list, a list for an object
wrong_types     field (price), as (string)       offers: a string, float, bool or null for a number
negative        field (price)                    offers: -1
huge            field (price)                    offers: 2**70
missing_field   field (price)                    offers: one without the field
duplicate_ids                                    offers: two with one id
empty                                            offers: an empty list, which is legal
extra_fields                                     unknown fields and another order of keys, which is legal
oversized       size (50,000,000),               JSON of `size` bytes that begins with offers, chunked; with
                declared (false)                 `declared` its Content-Length is told
unauthorized                                     401 although the token is good
too_many        retry_after (1), arrives (false) 429 with Retry-After
redirect        location                         302; by default to this server under another name of the host
unregistered                                     offers: 404 although registered

With `arrives` the service does what it was asked before it refuses or falls silent: a registration is made.
Kinds that falsify content strike successful answers only. Of a product's offers they make one bad, the last,
so that a client that stores offers one by one has stored the others by then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from simulator.answers import CALLS, ImpossibleError

FIELDS = ("id", "price", "items_in_stock")
WRONG_TYPES = ("string", "float", "bool", "null")
_ERROR_STATUSES = range(400, 600)
_OFFERS = ("offers",)


class Family(Enum):
    """How a fault goes about it."""

    REFUSAL = auto()  # another answer; the service does nothing
    SILENCE = auto()  # no answer at all
    CONTENT = auto()  # a successful answer made false
    WIRE = auto()  # the answer sent in a way it should not be


@dataclass(frozen=True)
class Kind:
    """A sort of fault: the parameters it takes and the calls it can strike."""

    family: Family
    parameters: tuple[str, ...] = ()
    calls: tuple[str, ...] = CALLS


KINDS = {
    "latency": Kind(Family.WIRE, ("seconds",)),
    "status": Kind(Family.REFUSAL, ("status", "retry_after", "arrives")),
    "timeout": Kind(Family.SILENCE, ("arrives",)),
    "reset": Kind(Family.SILENCE, ("arrives",)),
    "close": Kind(Family.SILENCE, ("arrives",)),
    "drip": Kind(Family.WIRE, ("seconds",)),
    "drip_headers": Kind(Family.WIRE, ("seconds",)),
    "truncated": Kind(Family.WIRE),
    "invalid_json": Kind(Family.CONTENT),
    "html": Kind(Family.CONTENT),
    "wrong_shape": Kind(Family.CONTENT),
    "wrong_types": Kind(Family.CONTENT, ("field", "as"), _OFFERS),
    "negative": Kind(Family.CONTENT, ("field",), _OFFERS),
    "huge": Kind(Family.CONTENT, ("field",), _OFFERS),
    "missing_field": Kind(Family.CONTENT, ("field",), _OFFERS),
    "duplicate_ids": Kind(Family.CONTENT, (), _OFFERS),
    "empty": Kind(Family.CONTENT, (), _OFFERS),
    "extra_fields": Kind(Family.CONTENT),
    "oversized": Kind(Family.WIRE, ("size", "declared")),
    "unauthorized": Kind(Family.REFUSAL),
    "too_many": Kind(Family.REFUSAL, ("retry_after", "arrives")),
    "redirect": Kind(Family.REFUSAL, ("location",)),
    "unregistered": Kind(Family.REFUSAL, (), _OFFERS),
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
        raise ImpossibleError("Each fault rule must be an object.")
    kind = KINDS.get(str(content.get("kind")))
    if kind is None:
        raise ImpossibleError(f"kind must be one of {', '.join(KINDS)}.")
    # `fired` is what reading the rules adds; it is allowed so that an answer can be sent back.
    known = {"kind", "share", "calls", "products", "times", "fired", *kind.parameters}
    for name, value in content.items():
        if name not in known:
            raise ImpossibleError(f"A rule of kind {content['kind']} has no {name}.")
        fits, sentence = _CHECKS.get(name, _ANYTHING)
        if not fits(value):
            raise ImpossibleError(f"{name} must be {sentence}.")
    if pointless := set(content.get("calls", ())) - set(kind.calls):
        raise ImpossibleError(
            f"A rule of kind {content['kind']} cannot strike {', '.join(sorted(pointless))}."
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
