"""The parts that the document's operations share: schemas, parameters and headers."""

from typing import Any

from productator.api.conventions.idempotency import KEY_PATTERN
from productator.api.openapi import prices, problems, security
from productator.api.openapi.parts import ID, TEXT, Json, shape
from productator.api.schemas.answers import (
    AliveOut,
    BatchAnswerOut,
    BatchCreatedOut,
    BatchRefusedOut,
    ItemProblemOut,
    OfferChangeOut,
    OfferOut,
    PageOut,
    ProblemOut,
    ProductOffersOut,
    ProductOut,
    ReadyOut,
    RefreshOut,
    WrongValueOut,
)
from productator.api.schemas.bodies import OfferIn, OfferPatch, ProductBatch, ProductPatch
from productator.catalogue.validation import ProductIn


def components() -> Json:
    return {
        "schemas": _schemas(),
        "parameters": PARAMETERS,
        "headers": {name: {"required": True} | header for name, header in _HEADERS.items()},
        "examples": problems.shared_examples(),
        "securitySchemes": security.SCHEMES,
    }


def _schemas() -> Json:
    models = (ProductIn, ProductPatch, ProductBatch, OfferIn, OfferPatch)
    bodies = {model.__name__: shape(model, mode="validation") for model in models}
    # Of any type, since no item makes the request invalid.
    items = {"anyOf": [{"$ref": "#/components/schemas/ProductIn"}, {}]}
    bodies["ProductBatch"]["properties"]["items"]["items"] = items
    return {
        **bodies,
        **{name: shape(answer) for name, answer in _ANSWERS.items()},
        "OpenApi": {"type": "object", "description": "An OpenAPI 3.1 document: this one."},
        "Html": TEXT,
        "File": TEXT,
        **prices.SCHEMAS,
    }


_ANSWERS: dict[str, Any] = {
    "Product": ProductOut,
    "Offer": OfferOut,
    "OfferChange": OfferChangeOut,
    "ProductPage": PageOut[ProductOut],
    "OfferPage": PageOut[OfferOut],
    "OfferChangePage": PageOut[OfferChangeOut],
    "ProductOffers": ProductOffersOut,
    "BatchAnswer": BatchAnswerOut,
    "BatchCreated": BatchCreatedOut,
    "BatchRefused": BatchRefusedOut,
    "Refresh": RefreshOut,
    "Alive": AliveOut,
    "Ready": ReadyOut,
    "Problem": ProblemOut,
    "ItemProblem": ItemProblemOut,
    "WrongValue": WrongValueOut,
}

# Most headers are described rather than bounded: an unfit one is replaced or matches nothing, not refused.
# They have no `example`, since Swagger UI would send it along with every request that someone tries.
PARAMETERS: Json = {
    "id": {"name": "id", "in": "path", "required": True, "description": "The product.", "schema": ID},
    "offer_id": {
        "name": "offer_id",
        "in": "path",
        "required": True,
        "description": "The offer.",
        "schema": ID,
    },
    "kind": {
        "name": "kind",
        "in": "path",
        "required": True,
        "description": "The last part of a problem's `type`.",
        "schema": TEXT,
        "example": "invalid-input",
    },
    "file": {"name": "file", "in": "path", "required": True, "schema": TEXT, "example": "swagger-ui.css"},
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": 'Change only what still has one of these tags, such as `"7"`; `*`: whatever it is.',
        "schema": TEXT,
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": 'Tags of what the reader has, such as `"7"`; 304 while one is the current one.',
        "schema": TEXT,
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Sent again under its key within 24 hours, a request has one effect and one answer.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
    },
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Names the request: up to 128 of `A-Z a-z 0-9 . _ : / + = -`, else one is made.",
        "schema": TEXT,
    },
}

_HEADERS: Json = {
    "ETag": {"description": "The strong entity tag.", "schema": {"type": "string", "pattern": '^"[^"]+"$'}},
    "Idempotency-Replayed": {
        "description": "`true` on an answer that was given before; else not sent.",
        "required": False,
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": "The next page's address, as in the body; not sent with the last page.",
        "required": False,
        "schema": {"type": "string", "pattern": '^<[^<>]+>; rel="next"$'},
    },
    "Location": {
        "description": "The address of what was created.",
        "schema": {"type": "string", "format": "uri"},
    },
    "X-Request-Id": {
        "description": "The request's own id, or the one made for it.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=-]{1,128}$"},
    },
    "WWW-Authenticate": {
        "description": "`Bearer`, with what is wrong with the token that was sent, or the scope it lacks.",
        "schema": TEXT,
        "example": 'Bearer realm="productator", error="insufficient_scope", scope="write"',
    },
    "RateLimit": {
        "description": "Where requests are limited: `r` are left in the window that ends in `t` seconds.",
        "required": False,
        "schema": {"type": "string", "pattern": '^"default";r=[0-9]+;t=[0-9]+$'},
    },
    "RateLimit-Policy": {
        "description": "Where requests are limited: `q` requests in `w` seconds.",
        "required": False,
        "schema": {"type": "string", "pattern": '^"default";q=[0-9]+;w=[0-9]+$'},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Allow": {"description": "The methods of the path.", "schema": TEXT, "example": "GET, HEAD, OPTIONS"},
    "Cache-Control": {"description": "How long the answer may be kept.", "schema": TEXT},
    "X-Content-Type-Options": {
        "description": "Nothing but what `Content-Type` says.",
        "schema": {"type": "string", "const": "nosniff"},
    },
    "Content-Security-Policy": {
        "description": "What the page may load: only what we serve.",
        "schema": TEXT,
    },
}
