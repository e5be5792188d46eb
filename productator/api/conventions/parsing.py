"""Parses every request: its id, path, query and body."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE
from collections.abc import Mapping
from functools import cache
from itertools import islice
from random import getrandbits
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import structlog
from flask import Flask, Response, g, request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import (
    LengthRequired,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)
from werkzeug.routing import BaseConverter
from werkzeug.routing import ValidationError as NoMatch

from productator.api.conventions.cursors import signed_position
from productator.api.schemas.queries import Query
from productator.catalogue.validation import Location, wrong_fields
from productator.domain import MAX_ID
from productator.errors import MOST_ERRORS, BodyEncoded, CursorRejected, InvalidInput, MalformedRequest
from productator.ops.uwsgi_requests import UNREADABLE

Schema = TypeVar("Schema", bound=BaseModel)
QuerySchema = TypeVar("QuerySchema", bound=Query)

MAX_BODY_BYTES = 1024 * 1024
# Well below uWSGI's buffer-size; uWSGI closes the connection of a larger request without an answer.
MAX_TARGET_LENGTH = 8 * 1024
MAX_HEADERS_LENGTH = 32 * 1024
# Addresses in answers repeat the host, up to a thousand times. The longest name with a port is shorter.
MAX_HOST_LENGTH = 260
JSON_TYPES = ("application/json",)
PATCH_TYPES = ("application/merge-patch+json", "application/json")
# uWSGI passes on what surrounds the value of a header.
_SANE_ID = re.compile(r"[ \t]*([A-Za-z0-9._:/+=-]{1,128})[ \t]*")


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
    """Call this after rate limits and access control are set up: refusals are counted, too."""
    app.before_request(_refuse_unreadable)


def _name_request() -> None:
    given = _SANE_ID.fullmatch(request.environ.get("HTTP_X_REQUEST_ID", ""))
    g.request_id = request_id = given[1] if given else f"{getrandbits(128):032x}"
    # Every log line until the next request has this id, and nothing of the request before it.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _refuse_unreadable() -> None:
    """Refuses requests that servers pass on although nobody can answer them."""
    # Several times as fast as the attributes of `request`.
    environ = request.environ
    if environ.get(UNREADABLE):
        raise MalformedRequest(environ[UNREADABLE])
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    if query and not _is_utf8(unquote_to_bytes(query.encode("latin-1")).decode("latin-1")):
        raise MalformedRequest("The query is not UTF-8.")
    # Most requests are short and ASCII as a whole, which one look at all of them tells.
    all_texts = "".join([*environ, *[value for value in environ.values() if isinstance(value, str)]])
    if len(all_texts) > MAX_TARGET_LENGTH or not all_texts.isascii():
        _refuse_long_or_encoded(path, query, environ)
    if len(environ.get("HTTP_HOST", "")) > MAX_HOST_LENGTH:
        raise MalformedRequest(f"The Host header may have up to {MAX_HOST_LENGTH} characters.")
    # Of `gzip, chunked` a server decodes the chunks at most.
    coding = environ.get("HTTP_TRANSFER_ENCODING", "chunked")
    if coding.strip().lower() != "chunked":
        raise BodyEncoded("Transfer-Encoding", coding)
    # uWSGI passes on the blanks behind it. With a tab before it, uWSGI reads no body.
    length = (environ.get("CONTENT_LENGTH") or "0").rstrip(" \t")
    if not (length.isascii() and length.isdigit()):
        raise MalformedRequest("The Content-Length is not a number.")
    if length != "0" and _is_too_long(length):
        raise RequestEntityTooLarge


def _is_too_long(length: str) -> bool:
    # Python refuses to read a number of thousands of digits.
    digits = length.lstrip("0")
    return len(digits) > len(str(MAX_BODY_BYTES)) or int(digits or 0) > MAX_BODY_BYTES


def _refuse_long_or_encoded(path: str, query: str, environ: Mapping[str, Any]) -> None:
    """Refuses more than fits, and bytes that are not UTF-8."""
    if not _is_utf8(path):
        raise MalformedRequest("The path is not UTF-8.")
    headers = {name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))}
    for name, value in headers.items():
        if not _is_utf8(value):
            header = name.removeprefix("HTTP_").replace("_", "-").title()
            raise MalformedRequest(f"The header {header} is not UTF-8.")
    if len(path) + len(query) >= MAX_TARGET_LENGTH and len(request.full_path) > MAX_TARGET_LENGTH:
        raise RequestURITooLarge(f"Path and query may have up to {MAX_TARGET_LENGTH} characters together.")
    size = sum(map(len, headers)) - len("HTTP_") * len(headers) + sum(map(len, headers.values()))
    if size > MAX_HEADERS_LENGTH:
        raise RequestHeaderFieldsTooLarge(f"The headers may have up to {MAX_HEADERS_LENGTH} bytes together.")


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
    response.headers.add("X-Request-Id", current_request_id())
    return response


def read_body(schema: type[Schema], *, types: tuple[str, ...] = JSON_TYPES) -> Schema:
    """The JSON body as a `schema`; raises if it is not JSON, or not valid."""
    if request.mimetype not in types:
        raise UnsupportedMediaType(f"Send the body as {' or '.join(types)}.")
    encoding = request.headers.get("Content-Encoding", "")
    if encoding.strip().lower() not in {"", "identity"}:
        raise BodyEncoded("Content-Encoding", encoding)
    return checked(schema, _document())


def _document() -> object:
    body = _bytes()
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_BE)):  # UTF-32 LE begins like UTF-16 LE
        raise MalformedRequest("The body is not in UTF-8: its byte order mark is that of UTF-16 or UTF-32.")
    try:
        # Pydantic's own JSON parsing would accept NaN and Infinity, which are not JSON. Its cache
        # keeps names of members, which come again, but not what callers write.
        return from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False, cache_strings="keys")
    except ValueError as exc:
        raise MalformedRequest(f"The body is not JSON: {exc}.") from exc


def checked(
    schema: type[Schema], value: object, *, within: Location = (), most_errors: int = MOST_ERRORS
) -> Schema:
    """The value as a `schema`; `within` is its location in the body."""
    try:
        return schema.model_validate(_without_most_unknown(schema, value, most_errors + 1))
    except ValidationError as exc:
        raise InvalidInput(_wrong_fields(exc, within)) from exc


def _without_most_unknown(schema: type[Schema], value: object, most: int) -> object:
    """The value with up to `most` unknown members: Pydantic needs 2 s and 300 MB for those of a full body."""
    known = schema.model_fields.keys()
    if not isinstance(value, dict) or len(value) <= len(known) + most:
        return value
    unknown = islice((name for name in value if name not in known), most)
    return {name: value[name] for name in (*(value.keys() & known), *unknown)}


def _bytes() -> bytes:
    # A server that does not decode chunks passes the body on as empty.
    if "Transfer-Encoding" in request.headers and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired("Send the body with a Content-Length.")
    # Flask keeps the body, and a view that is retried reads it again.
    return request.get_data()


def read_query(schema: type[QuerySchema]) -> QuerySchema:
    """The query as a `schema`; raises InvalidInput with everything that is wrong with it.

    A name that is given twice is a wrong value. A cursor that cannot be used is listed beside other errors;
    alone it is refused later, as CursorRejected.
    """
    if not request.environ.get("QUERY_STRING"):
        without: QuerySchema = _without_query(schema)
        return without
    given = request.args.to_dict()
    wrong: list[tuple[Location, str]] = [
        ((name,), "Must be given once.") for name, values in request.args.lists() if len(values) > 1
    ]
    try:
        query = schema.model_validate_strings(given)
    except ValidationError as exc:
        wrong += wrong_fields(exc)
    if wrong:
        # The other values may still contradict each other.
        names = {location[0] for location, _ in wrong}
        query = schema.model_validate_strings({name: given[name] for name in given if name not in names})
    wrong += query.contradictions()
    if wrong and "cursor" in schema.model_fields:
        wrong += _wrong_cursor(given.get("cursor"))
    if wrong:
        raise InvalidInput([(_pointer(location), detail) for location, detail in wrong])
    return query


@cache
def _without_query(schema: type[QuerySchema]) -> QuerySchema:
    return schema.model_validate({})


def _wrong_cursor(cursor: str | None) -> list[tuple[Location, str]]:
    if cursor is None:
        return []
    try:
        signed_position(cursor)
    except CursorRejected as error:
        return [(("cursor",), str(error))]
    return []


def _wrong_fields(error: ValidationError, within: Location = ()) -> list[tuple[str, str]]:
    return [(_pointer(within + location), detail) for location, detail in wrong_fields(error)]


def _pointer(location: Location) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
