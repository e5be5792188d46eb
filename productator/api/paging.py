"""Cursors: where the next page begins, signed, and bound to the list and the filters they were made for."""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Flask, current_app, request
from itsdangerous import BadData, URLSafeSerializer

from productator.errors import CursorRejected
from productator.services.paging import Page, Position

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


def page_json(page: Page, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "next": None if page.position is None else _next_url(page.position)}


def _next_url(position: Position) -> str:
    arguments = {name: value for name, value in request.args.items() if name != "cursor"}
    arguments["cursor"] = _cursors().dumps([position, _list_asked_for()])
    return f"{request.base_url}?{urlencode(arguments)}"


def _list_asked_for() -> str:
    """Path and filters; the size of the pages may change from one to the next."""
    filters = sorted((name, value) for name, value in request.args.items() if name not in {"cursor", "limit"})
    return json.dumps([request.path, filters], ensure_ascii=True, separators=(",", ":"))


def _cursors() -> URLSafeSerializer:
    cursors: URLSafeSerializer = current_app.extensions[_EXTENSION]
    return cursors
