"""Conditional requests (RFC 9110): strong entity tags made of versions, 304, 412 and 428."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, request
from sqlalchemy import Row

from productator.api.schemas import json_response
from productator.catalogue.versions import Expected
from productator.errors import PreconditionRequired
from productator.models import Offer, Product

_TAG = re.compile("([1-9][0-9]{0,18})p?")


def product_tag(product: Product | Row[Any]) -> str:
    """The version; marked while the registration is pending, since its end changes what a reader sees.

    A writer may bring either tag of a version: registration is nothing that a write could overwrite.
    """
    return f"{product.version}" if product.registered_at else f"{product.version}p"


def offer_tag(offer: Offer | Row[Any]) -> str:
    return f"{offer.version}"


def expected_version() -> Expected:
    """What `If-Match` demands of the row that is to be changed; weak tags never match."""
    tags = request.if_match
    if "If-Match" not in request.headers:
        if current_app.config["REQUIRE_IF_MATCH"]:
            raise PreconditionRequired
        return None
    if tags.star_tag:
        return None
    # Werkzeug reads an empty tag as None.
    found = (_TAG.fullmatch(tag or "") for tag in tags.as_set())
    return frozenset(int(match[1]) for match in found if match)


def tagged(
    body: Mapping[str, Any], tag: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The body with its tag, or 304 for a reader who has it already."""
    if request.method in {"GET", "HEAD"} and request.if_none_match.contains_weak(tag):
        return _not_modified(tag)
    response = json_response(body, status, headers)
    response.set_etag(tag)
    return response


def tagged_list(body: Mapping[str, Any]) -> Response:
    return tagged_content(json_response(body))


def tagged_content(response: Response) -> Response:
    """An answer without a version; its tag is a digest of what is sent."""
    tag = hashlib.sha256(response.get_data()).hexdigest()[:32]
    if request.if_none_match.contains_weak(tag):
        return _not_modified(tag)
    response.set_etag(tag)
    return response


def _not_modified(tag: str) -> Response:
    response = current_app.response_class(status=304)
    del response.headers["Content-Type"]
    response.set_etag(tag)
    return response
