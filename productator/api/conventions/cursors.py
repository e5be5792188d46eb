"""Cursors: where the next page begins, signed, and bound to the list and the filters they were made for."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, current_app, request, url_for
from itsdangerous import BadData, URLSafeSerializer

from productator.api.conventions.conditional import tagged_content
from productator.api.schemas import json_response
from productator.database.keyset import Page, Position
from productator.errors import CursorRejected

_EXTENSION = "productator-cursors"


def init_app(app: Flask, secret_key: str) -> None:
    app.extensions[_EXTENSION] = URLSafeSerializer(secret_key, salt="cursor")


def position_of(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        position, bound_to = _cursors().loads(cursor)
    except (BadData, ValueError) as exc:
        raise CursorRejected("The cursor is not one of ours: start again from the first page.") from exc
    if bound_to != _list_asked_for():
        raise CursorRejected("The cursor belongs to a list with other filters: start from the first page.")
    return list(position)


def page_answer(page: Page[Any], items: Sequence[Mapping[str, Any]]) -> Response:
    return listed({"items": items}, None if page.position is None else _next_url(page.position))


def listed(body: Mapping[str, Any], following: str | None) -> Response:
    """A page of a list, which tells the next one's address twice: in the body and in `Link` (RFC 8288)."""
    headers = {"Link": f'<{following}>; rel="next"'} if following else None
    return tagged_content(json_response({**body, "next": following}, headers=headers))


def _next_url(position: Position) -> str:
    # Not `request.base_url`, which may hold letters that no header can.
    arguments = request.args.to_dict() | {"cursor": _cursors().dumps([position, _list_asked_for()])}
    return url_for(str(request.endpoint), _external=True, **(request.view_args or {}), **arguments)


def _list_asked_for() -> str:
    """Path and filters, shortened; the size of the pages may change from one to the next."""
    filters = sorted((name, value) for name, value in request.args.items() if name not in {"cursor", "limit"})
    return hashlib.sha256(json.dumps([request.path, filters]).encode()).hexdigest()[:32]


def _cursors() -> URLSafeSerializer:
    cursors: URLSafeSerializer = current_app.extensions[_EXTENSION]
    return cursors
