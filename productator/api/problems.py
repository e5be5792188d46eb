"""Every error as application/problem+json (RFC 9457): one table from exception to status, one shape."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from productator import engine, errors
from productator.api.requests import current_request_id
from productator.api.schemas import json_response

log = logging.getLogger(__name__)

STATUS_OF: dict[type[errors.ProductatorError], HTTPStatus] = {
    errors.ProductNotFound: HTTPStatus.NOT_FOUND,
    errors.OfferNotFound: HTTPStatus.NOT_FOUND,
    errors.OfferIsExternal: HTTPStatus.CONFLICT,
    errors.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    errors.PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    errors.KeyInUse: HTTPStatus.CONFLICT,
    errors.KeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MalformedRequest: HTTPStatus.BAD_REQUEST,
    errors.CommitUnknown: HTTPStatus.SERVICE_UNAVAILABLE,
}
RETRY_AFTER_S = 2


def init_app(app: Flask) -> None:
    app.register_error_handler(errors.ProductatorError, _known)
    app.register_error_handler(HTTPException, _of_the_router)
    app.register_error_handler(DBAPIError, _of_the_database)
    app.register_error_handler(PoolTimeout, _of_the_database)
    app.register_error_handler(Exception, _unexpected)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> Response:
    of_request = {"instance": request.path, "request_id": current_request_id()}
    body = _core(status, detail) | of_request | members
    return json_response(body, status, headers, content_type="application/problem+json")


def of_item(error: errors.InvalidInput) -> dict[str, Any]:
    """The problem of one item among others in a request."""
    detail = "The item is not acceptable; `errors` says why."
    return _core(STATUS_OF[type(error)], detail) | {"errors": _details(error)}


def _core(status: int, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }


def _details(error: errors.InvalidInput) -> list[dict[str, str]]:
    return [{"pointer": pointer, "detail": detail} for pointer, detail in error.errors]


def _known(error: errors.ProductatorError) -> Response:
    status = STATUS_OF[type(error)]
    if isinstance(error, errors.InvalidInput):
        return problem(status, str(error), errors=_details(error))
    if isinstance(error, errors.StaleVersion):
        return problem(status, str(error), {"ETag": f'"{error.current}"'})
    if isinstance(error, errors.KeyInUse | errors.CommitUnknown):
        return problem(status, str(error), {"Retry-After": str(RETRY_AFTER_S)})
    return problem(status, str(error))


def _of_the_router(error: HTTPException) -> Response:
    response = error.get_response()
    if response.status_code < HTTPStatus.BAD_REQUEST:  # a redirect, raised as an exception
        return Response(
            response=response.get_data(), status=response.status_code, headers=dict(response.headers)
        )
    headers = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
    if response.status_code == HTTPStatus.NOT_FOUND:
        return problem(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}.")
    return problem(response.status_code, error.description or "The request cannot be served.", headers)


def _of_the_database(error: DBAPIError | PoolTimeout) -> Response:
    if isinstance(error, DBAPIError) and not engine.is_transient(error):
        return _unexpected(error)
    log.warning("the database is not available", extra={"error": str(error.__cause__ or error)})
    detail = "The database is not available at the moment; nothing was changed."
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})


def _unexpected(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side; the request id names it."
    )
