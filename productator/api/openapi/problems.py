"""The problems that an operation can answer, as the document tells them."""

from http import HTTPStatus
from typing import Any

from productator.api.openapi import examples

# Status: when it is answered (for readers of the document), an example of `detail`, and headers of its own.
_WHEN: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: (
        "The body is not JSON, the cursor not one of this list with these filters, or the key malformed.",
        "The body is not JSON: EOF while parsing an object at line 1 column 1.",
        (),
    ),
    404: (
        "There is nothing of this id; ids are digits without leading zeros.",
        "There is no product 13.",
        (),
    ),
    405: (
        "The path does not have this method; `Allow` names those it has.",
        "The method is not allowed for the requested URL.",
        ("Allow",),
    ),
    409: (
        "The offer belongs to the Offers service; or the first request with this key is still running.",
        "Offer 68 belongs to the Offers service; only own offers can be changed.",
        (),
    ),
    411: (
        "A body of unknown length, where the server cannot read one.",
        "Send the body with a Content-Length.",
        (),
    ),
    412: (
        "None of the tags in `If-Match` is the current one, which `ETag` tells; nothing was changed.",
        "It was changed meanwhile: none of the tags in If-Match is its current one.",
        ("ETag",),
    ),
    413: (
        "The body is longer than 1 MiB.",
        "The data value transmitted exceeds the capacity limit.",
        (),
    ),
    415: ("The body is of another media type.", "Send the body as application/json.", ()),
    422: (
        "Unacceptable fields, query parameters (`errors` lists each), or a key of another request.",
        "The request names values that are not acceptable; `errors` lists each.",
        (),
    ),
    428: (
        "This deployment wants `If-Match` on every change.",
        "This deployment wants If-Match on every change: send the ETag of what you have read.",
        (),
    ),
    500: (
        "A mistake of the API itself.",
        "Something went wrong on our side; the request id names it.",
        (),
    ),
    503: (
        "The database is not available; `detail` tells whether anything was changed.",
        "The database is not available at the moment; nothing was changed.",
        ("Retry-After",),
    ),
}


def component(status: int) -> str:
    """The name of the answer in the document; not its phrase, which differs from one Python to the next."""
    return f"Problem{status}"


def responses() -> dict[str, dict[str, Any]]:
    """Every problem by the name of its component."""
    return {component(status): _response(status) for status in _WHEN}


def _response(status: int) -> dict[str, Any]:
    description, detail, headers = _WHEN[status]
    example = examples.problem(status, HTTPStatus(status).phrase, detail)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        example["errors"] = [{"pointer": "/price", "detail": "Input should be greater than or equal to 0."}]
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in (*headers, "X-Request-Id")},
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": example,
            }
        },
    }
