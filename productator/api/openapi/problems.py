"""The problems that an operation can answer, as the document tells them."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from productator.api.conventions.problem_types import INVALID_INPUT, KINDS, Kind
from productator.api.openapi import examples

Json = dict[str, Any]


# On every answer, the first two where requests are limited.
ALWAYS = ("RateLimit", "RateLimit-Policy", "X-Request-Id")


def shared_examples() -> Json:
    """One for each kind, by its name."""
    return {kind.name: {"summary": kind.title, "value": _example(kind)} for kind in KINDS.values()}


def responses(kinds: Iterable[Kind]) -> Json:
    """By status; each names the types it can have."""
    ordered = sorted(kinds, key=lambda kind: (kind.status, kind.name))
    return {
        str(int(status)): _response(list(same)) for status, same in groupby(ordered, lambda kind: kind.status)
    }


def _response(kinds: list[Kind]) -> Json:
    headers = sorted({name for kind in kinds for name in kind.headers})
    return {
        "description": "\n\n".join(f"[`{kind.type}`]({kind.type}): {kind.meaning}" for kind in kinds),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (*headers, *ALWAYS)},
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"type": {"enum": [kind.type for kind in kinds]}},
                },
                "examples": {kind.name: {"$ref": f"#/components/examples/{kind.name}"} for kind in kinds},
            }
        },
    }


def _example(kind: Kind) -> Json:
    example = examples.problem(kind)
    if kind is INVALID_INPUT:
        example["errors"] = [{"pointer": "/price", "detail": "Input should be greater than or equal to 0."}]
    return example
