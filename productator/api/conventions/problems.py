"""Answers every error as application/problem+json (RFC 9457), with the types of `problem_types.py`."""

import logging
from http import HTTPStatus

from flask import Flask, Response, g, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ClientDisconnected, HTTPException

from productator import errors
from productator.api.conventions import problem_types
from productator.api.conventions.parsing import current_request_id
from productator.api.conventions.problem_types import ProblemType
from productator.api.conventions.responses import json_response
from productator.api.schemas.answers import ItemProblemJson, ProblemJson, WrongValueJson
from productator.database.failures import (
    NOT_MIGRATED,
    is_transient,
    is_unmigrated,
    reason,
    why_nothing_is_stored,
)

log = logging.getLogger(__name__)

_OF_STATUS = {
    each.status: each
    for each in (
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
    app.register_error_handler(errors.ProductatorError, _answer_our_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(DBAPIError, _answer_database_error)
    app.register_error_handler(PoolTimeout, _answer_database_error)
    app.register_error_handler(Exception, _answer_unexpected_error)


def not_ready(reason: str) -> Response:
    return _problem(problem_types.NOT_READY, reason, _retry_after(problem_types.NOT_READY))


def item_problem(error: errors.InvalidInput) -> ItemProblemJson:
    """The problem of one item of a batch."""
    return {
        "type": problem_types.INVALID_INPUT.type,
        "title": problem_types.INVALID_INPUT.title,
        "status": 422,
        "detail": "The item is not acceptable; `errors` says why.",
        "errors": _wrong_values(error),
    }


def _problem(
    problem_type: ProblemType,
    detail: str,
    headers: dict[str, str] | None = None,
    *,
    wrong_values: list[WrongValueJson] | None = None,
) -> Response:
    # For metrics and the access log.
    g.problem_type = problem_type
    body: ProblemJson = {
        "type": problem_type.type,
        "title": problem_type.title,
        "status": int(problem_type.status),
        "detail": detail,
        "instance": request.path,
        "request_id": current_request_id(),
    }
    if wrong_values is not None:
        body["errors"] = wrong_values
    return json_response(body, problem_type.status, headers, content_type="application/problem+json")


def _wrong_values(error: errors.InvalidInput) -> list[WrongValueJson]:
    return [{"pointer": pointer, "detail": detail} for pointer, detail in error.errors]


def _answer_our_error(error: errors.ProductatorError) -> Response:
    problem_type = problem_types.TYPE_OF_ERROR[type(error)]
    if isinstance(error, errors.InvalidInput):
        return _problem(problem_type, str(error), wrong_values=_wrong_values(error))
    return _problem(problem_type, str(error), _headers(error, problem_type))


def _headers(error: errors.ProductatorError, problem_type: ProblemType) -> dict[str, str]:
    if isinstance(error, errors.StaleVersion | errors.WeakTagSent | errors.VersionExcluded):
        return {"ETag": f'"{error.current}"'}
    if isinstance(error, errors.TooManyRequests):
        return {"Retry-After": str(error.seconds_left)}
    if isinstance(error, errors.BodyEncoded):
        return {"Accept-Encoding": "identity"}  # RFC 9110, for requests
    if "WWW-Authenticate" in problem_type.headers:
        return {"WWW-Authenticate": _challenge(error)}
    return _retry_after(problem_type)


def _retry_after(problem_type: ProblemType) -> dict[str, str]:
    return {"Retry-After": str(RETRY_AFTER_S)} if "Retry-After" in problem_type.headers else {}


def _challenge(error: errors.ProductatorError) -> str:
    """RFC 6750: it names an error only if the request had a token."""
    challenge = 'Bearer realm="productator"'
    if isinstance(error, errors.TokenInvalid):
        return f'{challenge}, error="invalid_token"'
    if isinstance(error, errors.ScopeMissing):
        return f'{challenge}, error="insufficient_scope", scope="{error.needed}"'
    return challenge


def _answer_http_error(error: HTTPException) -> Response:
    response = error.get_response()
    if response.status_code < HTTPStatus.BAD_REQUEST:  # a redirect, raised as an exception
        return Response(
            response=response.get_data(), status=response.status_code, headers=dict(response.headers)
        )
    problem_type = _OF_STATUS.get(HTTPStatus(response.status_code))
    if problem_type is None:  # a status that we never mean to answer
        return _answer_unexpected_error(error)
    if problem_type is problem_types.NOT_FOUND:
        return _problem(problem_type, f"There is nothing at {request.path}.")
    if isinstance(error, ClientDisconnected):
        return _problem(
            problem_type, "The body ended early, came too slowly, or has a chunk of more than 8 MiB."
        )
    if problem_type is problem_types.BODY_TOO_LARGE:
        return _problem(problem_type, problem_type.example)
    headers = {name: response.headers[name] for name in problem_type.headers}
    return _problem(problem_type, error.description or problem_type.title, headers)


def _answer_database_error(error: DBAPIError | PoolTimeout) -> Response:
    unavailable, detail = problem_types.UNAVAILABLE, problem_types.UNAVAILABLE.example
    if is_unmigrated(error):
        detail = NOT_MIGRATED
    elif isinstance(error, DBAPIError) and not is_transient(error):
        return _answer_unexpected_error(error)
    log.warning("the database is not available", extra={"error": reason(error), **_where()})
    if isinstance(error, DBAPIError) and (why := why_nothing_is_stored(error)):
        stored_nothing = problem_types.NOTHING_IS_STORED
        return _problem(stored_nothing, f"{why} Nothing was changed.", _retry_after(stored_nothing))
    return _problem(unavailable, detail, _retry_after(unavailable))


def _answer_unexpected_error(error: Exception) -> Response:
    log.error("request failed", exc_info=error, extra=_where())
    return _problem(problem_types.INTERNAL_ERROR, problem_types.INTERNAL_ERROR.example)


def _where() -> dict[str, str]:
    return {"method": request.method, "path": request.path}
