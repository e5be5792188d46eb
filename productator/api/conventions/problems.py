"""Every error as application/problem+json (RFC 9457): one shape, and the kinds of `kinds.py`."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ClientDisconnected, HTTPException

from productator import errors
from productator.api.conventions import problem_types
from productator.api.conventions.parsing import current_request_id
from productator.api.conventions.problem_types import Kind
from productator.api.schemas import json_response
from productator.database.failures import is_transient

log = logging.getLogger(__name__)

_OF_THE_ROUTER = {
    kind.status: kind
    for kind in (
        problem_types.MALFORMED_REQUEST,
        problem_types.NOT_FOUND,
        problem_types.METHOD_NOT_ALLOWED,
        problem_types.LENGTH_REQUIRED,
        problem_types.BODY_TOO_LARGE,
        problem_types.URI_TOO_LONG,
        problem_types.UNSUPPORTED_MEDIA_TYPE,
        problem_types.HEADERS_TOO_LARGE,
    )
}
RETRY_AFTER_S = 2


def init_app(app: Flask) -> None:
    app.register_error_handler(errors.ProductatorError, _known)
    app.register_error_handler(HTTPException, _of_the_router)
    app.register_error_handler(DBAPIError, _of_the_database)
    app.register_error_handler(PoolTimeout, _of_the_database)
    app.register_error_handler(Exception, _unexpected)


def problem(kind: Kind, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    of_request = {"instance": request.path, "request_id": current_request_id()}
    body = _core(kind, detail) | of_request | members
    return json_response(body, kind.status, headers, content_type="application/problem+json")


def of_item(error: errors.InvalidInput) -> dict[str, Any]:
    """The problem of one item among others in a request."""
    detail = "The item is not acceptable; `errors` says why."
    return _core(problem_types.OF_ERROR[type(error)], detail) | {"errors": _details(error)}


def _core(kind: Kind, detail: str) -> dict[str, Any]:
    return {"type": kind.type, "title": kind.title, "status": int(kind.status), "detail": detail}


def _details(error: errors.InvalidInput) -> list[dict[str, str]]:
    return [{"pointer": pointer, "detail": detail} for pointer, detail in error.errors]


def _known(error: errors.ProductatorError) -> Response:
    kind = problem_types.OF_ERROR[type(error)]
    if isinstance(error, errors.InvalidInput):
        return problem(kind, str(error), errors=_details(error))
    return problem(kind, str(error), _headers(error, kind))


def _headers(error: errors.ProductatorError, kind: Kind) -> dict[str, str]:
    if isinstance(error, errors.StaleVersion):
        return {"ETag": f'"{error.current}"'}
    if isinstance(error, errors.TooManyRequests):
        return {"Retry-After": str(error.seconds_left)}
    if "WWW-Authenticate" in kind.headers:
        return {"WWW-Authenticate": _challenge(error)}
    return _retry_after(kind)


def _retry_after(kind: Kind) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_S)} if "Retry-After" in kind.headers else {}


def _challenge(error: errors.ProductatorError) -> str:
    """RFC 6750: an error only for who has sent something."""
    challenge = 'Bearer realm="productator"'
    if isinstance(error, errors.TokenInvalid):
        return f'{challenge}, error="invalid_token"'
    if isinstance(error, errors.ScopeMissing):
        return f'{challenge}, error="insufficient_scope", scope="{error.needed}"'
    return challenge


def _of_the_router(error: HTTPException) -> Response:
    response = error.get_response()
    if response.status_code < HTTPStatus.BAD_REQUEST:  # a redirect, raised as an exception
        return Response(
            response=response.get_data(), status=response.status_code, headers=dict(response.headers)
        )
    kind = _OF_THE_ROUTER.get(HTTPStatus(response.status_code))
    if kind is None:  # nothing that we mean to answer
        return _unexpected(error)
    if kind is problem_types.NOT_FOUND:
        return problem(kind, f"There is nothing at {request.path}.")
    if isinstance(error, ClientDisconnected):
        return problem(kind, "The body ended before its Content-Length, or came too slowly.")
    headers = {name: response.headers[name] for name in kind.headers}
    return problem(kind, error.description or kind.title, headers)


def _of_the_database(error: DBAPIError | PoolTimeout) -> Response:
    if isinstance(error, DBAPIError) and not is_transient(error):
        return _unexpected(error)
    log.warning("the database is not available", extra={"error": str(error.__cause__ or error)})
    return problem(
        problem_types.UNAVAILABLE, problem_types.UNAVAILABLE.example, _retry_after(problem_types.UNAVAILABLE)
    )


def not_ready(reason: str) -> Response:
    return problem(problem_types.NOT_READY, reason, _retry_after(problem_types.NOT_READY))


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return problem(problem_types.INTERNAL_ERROR, problem_types.INTERNAL_ERROR.example)
