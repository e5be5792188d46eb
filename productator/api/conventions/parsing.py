"""Parses every request: its id, path, query and body."""

import re
from typing import TypeVar
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import (
    LengthRequired,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)
from werkzeug.routing import BaseConverter
from werkzeug.routing import ValidationError as NoMatch

from productator.catalogue.validation import Location, wrong_fields
from productator.domain import MAX_ID
from productator.errors import InvalidInput, MalformedRequest
from productator.ops.uwsgi_requests import UNREADABLE

Schema = TypeVar("Schema", bound=BaseModel)

MAX_BODY_BYTES = 1024 * 1024
# Well below uWSGI's buffer-size; uWSGI closes the connection of a larger request without an answer.
MAX_TARGET_LENGTH = 8 * 1024
MAX_HEADERS_LENGTH = 32 * 1024
JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/merge-patch+json", "application/json")
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class RowId(BaseConverter):
    """The id of a row, in digits; anything else is not found."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > MAX_ID:
            raise NoMatch
        return number


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.converters["id"] = RowId
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.merge_slashes = False
    app.before_request(_name_request)
    app.after_request(_echo_request_id)


def refuse_unreadable(app: Flask) -> None:
    """Call this after rate limits and access control are set up: refused requests are counted, too."""
    app.before_request(_refuse_unreadable)


def _name_request() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
    # Every log line until the next request has this id, and nothing of the request before it.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _refuse_unreadable() -> None:
    """Refuses requests that servers pass on although nobody can answer them."""
    if request.environ.get(UNREADABLE):
        raise MalformedRequest(request.environ[UNREADABLE])
    _refuse_other_encodings()
    if len(request.full_path) > MAX_TARGET_LENGTH:
        raise RequestURITooLarge(f"Path and query may have up to {MAX_TARGET_LENGTH} characters together.")
    if sum(len(name) + len(value) for name, value in request.headers) > MAX_HEADERS_LENGTH:
        raise RequestHeaderFieldsTooLarge(f"The headers may have up to {MAX_HEADERS_LENGTH} bytes together.")
    length = request.environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise MalformedRequest("The Content-Length is not a number.")


def _refuse_other_encodings() -> None:
    """Refuses bytes that are not UTF-8, in the query and the path also where they are escaped (%FF)."""
    if not _is_utf8(unquote_to_bytes(request.query_string).decode("latin-1")):
        raise MalformedRequest("The query is not UTF-8.")
    if not _is_utf8(request.environ["PATH_INFO"]):
        raise MalformedRequest("The path is not UTF-8.")
    # Several times as fast as `request.headers`.
    for name, value in request.environ.items():
        if name.startswith(("HTTP_", "CONTENT_")) and not _is_utf8(value):
            header = name.removeprefix("HTTP_").replace("_", "-").title()
            raise MalformedRequest(f"The header {header} is not UTF-8.")


def _is_utf8(text: str) -> bool:
    """Whether the bytes are UTF-8 that WSGI passes on as a text in Latin-1."""
    if text.isascii():
        return True
    try:
        text.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True


def current_request_id() -> str:
    return str(g.request_id)


def _echo_request_id(response: Response) -> Response:
    response.headers["X-Request-Id"] = current_request_id()
    return response


def read_body(schema: type[Schema], *, types: tuple[str, ...] = JSON_TYPES) -> Schema:
    """The JSON body as a `schema`; raises if it is not JSON, or not valid."""
    if request.mimetype not in types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(types)}.")
    try:
        # Pydantic's own JSON parsing would accept NaN and Infinity, which are not JSON.
        document = from_json(_bytes(), allow_inf_nan=False)
    except ValueError as exc:
        raise MalformedRequest(f"The body is not JSON: {exc}.") from exc
    return checked(schema, document)


def checked(schema: type[Schema], value: object, *, within: Location = ()) -> Schema:
    """The value as a `schema`; `within` is its location in the body."""
    try:
        return schema.model_validate(value)
    except ValidationError as exc:
        raise InvalidInput(_wrong_fields(exc, within)) from exc


def _bytes() -> bytes:
    # A server that does not decode chunks passes the body on as empty.
    if "Transfer-Encoding" in request.headers and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired("Send the body with a Content-Length.")
    # Flask keeps the body, and a view that is retried reads it again.
    return request.get_data()


def read_query(schema: type[Schema]) -> Schema:
    """The query as a `schema`; a name that is given twice is a wrong value."""
    errors = [
        (_pointer((name,)), "Must be given once.") for name, values in request.args.lists() if len(values) > 1
    ]
    try:
        query = schema.model_validate_strings(request.args.to_dict())
    except ValidationError as exc:
        raise InvalidInput(errors + _wrong_fields(exc)) from exc
    if errors:
        raise InvalidInput(errors)
    return query


def _wrong_fields(error: ValidationError, within: Location = ()) -> list[tuple[str, str]]:
    return [(_pointer(within + location), detail) for location, detail in wrong_fields(error)]


def _pointer(location: Location) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
