"""Conditional requests (RFC 9110): strong entity tags from versions, 304, 412 and 428."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, current_app, request

from productator.api.conventions.responses import json_response
from productator.catalogue.offers import OfferRow
from productator.catalogue.products import ProductRow
from productator.catalogue.versions import EVERY, Expected
from productator.errors import PreconditionRequired

ASK_EACH_TIME = "no-cache"
# A version, and what else changes the answer.
_TAG = re.compile("([1-9][0-9]{0,18})(p|-[0-9a-z.]*)?")


def product_tag(product: ProductRow) -> str:
    """The version, marked while the registration is pending, since its end changes the answer.

    A writer may send either tag of a version: no write can overwrite the registration.
    """
    return f"{product.version}" if product.registered_at else f"{product.version}p"


def offer_tag(offer: OfferRow) -> str:
    return f"{offer.version}"


def expected_version() -> Expected:
    """What `If-Match` and `If-None-Match` allow to change; a weak tag matches only in the latter."""
    given, unwanted = request.if_match, request.if_none_match
    if "If-Match" not in request.headers and current_app.config["REQUIRE_IF_MATCH"]:
        raise PreconditionRequired
    is_any = given.star_tag or "If-Match" not in request.headers
    return Expected(
        allowed=EVERY if is_any else _versions(given.as_set()),
        excluded=EVERY if unwanted.star_tag else _versions(unwanted.as_set(include_weak=True)),
        has_weak_tags=bool(given.as_set(include_weak=True) - given.as_set()),
    )


def _versions(tags: Iterable[str | None]) -> frozenset[int]:
    # Werkzeug reads an empty tag as None.
    found = (_TAG.fullmatch(tag or "") for tag in tags)
    return frozenset(int(match[1]) for match in found if match)


def tagged(
    body: Mapping[str, Any], tag: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The body with its tag, or 304 if the reader has it already."""
    if request.method in {"GET", "HEAD"} and _has_already(tag):
        return _not_modified(tag)
    response = json_response(body, status, headers)
    response.headers.add("ETag", f'"{tag}"')
    return response


def tagged_json(body: Mapping[str, Any]) -> Response:
    return tagged_content(json_response(body))


def tagged_content(response: Response, *, identity: bytes | None = None) -> Response:
    """Tags an answer that has no version with a digest of its content; 304 if the reader has it already.

    `identity` stands for the content where some of that does not count.
    """
    tag = hashlib.sha256(response.get_data() if identity is None else identity).hexdigest()[:32]
    if _has_already(tag):
        return _not_modified(tag)
    response.headers.add("ETag", f'"{tag}"')
    return response


def tagged_file(content: str | bytes, content_type: str, *, cache_control: str) -> Response:
    response = tagged_content(current_app.response_class(content, content_type=content_type))
    response.headers["Cache-Control"] = cache_control
    return response


def _has_already(tag: str) -> bool:
    return "HTTP_IF_NONE_MATCH" in request.environ and request.if_none_match.contains_weak(tag)


def _not_modified(tag: str) -> Response:
    response = current_app.response_class(status=304)
    del response.headers["Content-Type"]
    response.set_etag(tag)
    return response
