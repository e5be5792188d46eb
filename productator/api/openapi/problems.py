"""The problems of an operation in the OpenAPI document."""

from collections.abc import Iterable
from itertools import groupby

from productator.api.conventions.problem_types import INVALID_INPUT, PROBLEM_TYPES, ProblemType
from productator.api.openapi import examples
from productator.api.openapi.parts import Json

# The headers of every answer; those of rate limits only where requests are limited, `Vary` below /api/.
ALWAYS = ("Cache-Control", "RateLimit", "RateLimit-Policy", "Vary", "X-Content-Type-Options", "X-Request-Id")


def shared_examples() -> Json:
    """One example for each problem type, by its name."""
    return {each.name: {"summary": each.title, "value": _example(each)} for each in PROBLEM_TYPES.values()}


def responses(types: Iterable[ProblemType]) -> Json:
    """The answers by status; each names the types it can have."""
    ordered = sorted(types, key=lambda each: (each.status, each.name))
    return {
        str(int(status)): _response(list(same)) for status, same in groupby(ordered, lambda each: each.status)
    }


def _response(types: list[ProblemType]) -> Json:
    headers = sorted({name for each in types for name in each.headers} - set(ALWAYS))
    return {
        "description": "\n\n".join(f"[`{each.type}`]({each.type}): {each.meaning}" for each in types),
        "headers": {name: _header(name, types) for name in (*headers, *ALWAYS)},
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"type": {"enum": [each.type for each in types]}},
                },
                "examples": {each.name: {"$ref": f"#/components/examples/{each.name}"} for each in types},
            }
        },
    }


def _header(name: str, types: list[ProblemType]) -> Json:
    """The shared header is required, so it does not fit where only some of the problems have it."""
    if name in ALWAYS or all(name in each.headers for each in types):
        return {"$ref": f"#/components/headers/{name}"}
    return {
        "description": "Of some of these problems only.",
        "required": False,
        "schema": {"type": "string"},
    }


def _example(problem_type: ProblemType) -> Json:
    example = examples.problem(problem_type)
    if problem_type is INVALID_INPUT:
        example["errors"] = [{"pointer": "/price", "detail": "Input should be greater than or equal to 0."}]
    return example
