"""Cursors: the position where the next page begins, signed, and bound to one list and its filters."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from pydantic_core import to_json

from productator.access import installation_keys
from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import tagged_content
from productator.api.conventions.responses import json_content, json_response
from productator.api.schemas.answers import PageJson
from productator.database.keyset import Order, Page, Position
from productator.database.web import reading
from productator.errors import CursorRejected

Item = TypeVar("Item")
_EXTENSION = "productator-cursors"
_NOT_OURS = "The cursor is not one of ours: start again from the first page."


def init_app(app: Flask, secret_key: str | None) -> None:
    """Without a key, the first request that needs one takes the installation's from the database."""
    if secret_key is not None:
        app.extensions[_EXTENSION] = _signer_of(secret_key)


def position_of(cursor: str | None, order: Order) -> Position | None:
    """The position in the order; raises CursorRejected."""
    if cursor is None:
        return None
    position = signed_position(cursor)
    # What comes from outside is checked, signed or not.
    if not order.accepts(position):
        raise CursorRejected(_NOT_OURS)
    return position


def signed_position(cursor: str) -> object:
    """The position, of any type, in a cursor that we signed for the requested list; raises CursorRejected."""
    try:
        content = json.loads(base64_decode(_signer().unsign(cursor)))
    except (BadData, ValueError, RecursionError) as exc:
        raise CursorRejected(_NOT_OURS) from exc
    match content:
        case [position, str(bound_to)]:
            if bound_to == _requested_list():
                return position
            raise CursorRejected(
                "The cursor belongs to a list with other filters: start from the first page."
            )
    raise CursorRejected(_NOT_OURS)


def page_answer(page: Page[Any], items: Iterable[Item], **facts: str | bool | None) -> Response:
    """A page, with the facts that its list has beside the items."""
    next_url = _next_url(page)
    return listed({**PageJson(items=list(items), next=next_url), **facts}, next_url)


def json_page_answer(page: Page[str], **facts: str | bool | None) -> Response:
    """The same of a page whose items are JSON already."""
    next_url = _next_url(page)
    rest = to_json({"next": next_url, **facts})
    content = b'{"items":[%b],%b' % (",".join(page.rows).encode(), rest[1:])
    return tagged_content(json_content(content, headers=_link(next_url)))


def _next_url(page: Page[Any]) -> str | None:
    return None if page.position is None else next_url_of(page.position)


def listed(body: Mapping[str, Any], next_url: str | None) -> Response:
    """A page of a list; both the body and the header `Link` (RFC 8288) give the address of the next one."""
    return tagged_content(json_response({**body, "next": next_url}, headers=_link(next_url)))


def _link(next_url: str | None) -> dict[str, str] | None:
    return {"Link": f'<{next_url}>; rel="next"'} if next_url else None


def next_url_of(position: Position) -> str:
    """The address of the requested list's next page."""
    # Not `request.base_url`, which may contain letters that a header cannot.
    arguments = request.args.to_dict() | {"cursor": _cursor(position)}
    return address_of(str(request.endpoint), **(request.view_args or {}), **arguments)


def _cursor(position: Position) -> str:
    # Not compressed: a small cursor could unpack to a very large one.
    content = json.dumps([position, _requested_list()], ensure_ascii=False, separators=(",", ":"))
    return _signer().sign(base64_encode(content)).decode()


def _requested_list() -> str:
    """A digest of path and filters; `limit` may differ from page to page."""
    filters = sorted((name, value) for name, value in request.args.items() if name not in {"cursor", "limit"})
    return hashlib.sha256(json.dumps([request.path, filters]).encode()).hexdigest()[:32]


def _signer() -> Signer:
    if _EXTENSION not in current_app.extensions:
        with reading() as connection:
            secret_key = installation_keys.find_or_make(connection, installation_keys.CURSORS)
        current_app.extensions[_EXTENSION] = _signer_of(secret_key)
    signer: Signer = current_app.extensions[_EXTENSION]
    return signer


def _signer_of(secret_key: str) -> Signer:
    return Signer(secret_key, salt="cursor")
