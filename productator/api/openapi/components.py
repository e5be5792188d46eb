"""The parts that the document's operations share: schemas, parameters and headers."""

from pydantic import BaseModel

from productator.api.conventions.idempotency import KEY_PATTERN
from productator.api.openapi import prices, problems, security
from productator.api.openapi.parts import AMOUNT, COUNT, ID, NEXT, TEXT, TIME, Json, list_of, object_of
from productator.api.schemas import OfferIn, OfferPatch, ProductBatch, ProductPatch
from productator.catalogue.validation import ProductIn
from productator.domain import (
    DESCRIPTION_LENGTH,
    NAME_LENGTH,
    REMOTE_ID_LENGTH,
)


def components() -> Json:
    return {
        "schemas": _schemas(),
        "parameters": PARAMETERS,
        "headers": {name: {"required": True} | header for name, header in _HEADERS.items()},
        "examples": problems.shared_examples(),
        "securitySchemes": security.SCHEMES,
    }


def _schemas() -> Json:
    bodies = (ProductIn, ProductPatch, ProductBatch, OfferIn, OfferPatch)
    schemas = {body.__name__: body_schema(body) for body in bodies}
    # Of any type, since none of them makes the request invalid.
    schemas["ProductBatch"]["properties"]["items"]["items"] = {
        "anyOf": [{"$ref": "#/components/schemas/ProductIn"}, {}]
    }
    return schemas | _ANSWERS | prices.SCHEMAS


def body_schema(model: type[BaseModel]) -> Json:
    """What pydantic tells of a model, without the titles that it makes of the names."""
    schema = model.model_json_schema()
    del schema["title"]
    for field in schema["properties"].values():
        del field["title"]
    return schema


_ANSWERS: Json = {
    "Product": object_of(
        {
            "id": ID,
            "name": TEXT | {"minLength": 1, "maxLength": NAME_LENGTH},
            "description": TEXT | {"maxLength": DESCRIPTION_LENGTH},
            "registration": {
                "enum": ["pending", "registered"],
                "description": "`pending` until the refresher has registered it with the Offers service.",
            },
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
    "Offer": object_of(
        {
            "id": ID,
            "product_id": ID,
            "source": {
                "enum": ["external", "own"],
                "description": "`external`: the Offers service's; only `own` ones can be changed.",
            },
            "external_id": {
                "type": ["string", "null"],
                "maxLength": REMOTE_ID_LENGTH,
                "description": "The Offers service's id.",
            },
            "price": AMOUNT,
            "currency": {
                "type": ["string", "null"],
                "pattern": "^[A-Z]{3}$",
                "description": "ISO 4217; the deployment's one currency, if it names any.",
            },
            "items_in_stock": AMOUNT,
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
    "ProductPage": object_of({"items": list_of("Product"), "next": NEXT}),
    "OfferPage": object_of({"items": list_of("Offer"), "next": NEXT}),
    "ProductOffers": object_of(
        {
            "items": list_of("Offer"),
            "next": {"type": "null", "description": "All offers of a product stand on one page."},
            "refreshed_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the Offers service was last read.",
            },
            "stale": {
                "type": "boolean",
                "description": "Whether that was more than three periods ago, or never.",
            },
        }
    ),
    "BatchAnswer": object_of(
        {
            "items": {
                "type": "array",
                "description": "What became of each item, in the order of the request.",
                "items": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/BatchCreated"},
                        {"$ref": "#/components/schemas/BatchRefused"},
                    ]
                },
            },
            "created": COUNT,
            "failed": COUNT,
        }
    ),
    "BatchCreated": object_of(
        {
            "status": {"const": 201},
            "location": {"type": "string", "format": "uri"},
            "etag": {"type": "string", "description": "The product's strong entity tag, with its quotes."},
            "product": {"$ref": "#/components/schemas/Product"},
        }
    ),
    "BatchRefused": object_of(
        {"status": {"const": 422}, "problem": {"$ref": "#/components/schemas/ItemProblem"}}
    ),
    "Refresh": object_of({"product_id": ID, "due_at": TIME}),
    "Alive": object_of({"status": {"const": "alive"}}),
    "Ready": object_of({"status": {"const": "ready"}}),
    "OpenApi": {"type": "object", "description": "An OpenAPI 3.1 document: this one."},
    "Html": TEXT,
    "File": TEXT,
    "Problem": object_of(
        {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "The kind of problem, for good; at this address stands what it means.",
            },
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "instance": {"type": "string", "description": "The path that was asked for."},
            "request_id": {"type": "string", "description": "The answer's `X-Request-Id`."},
            "errors": list_of("WrongValue")
            | {"description": "With `/problems/invalid-input`: every unacceptable field or query parameter."},
        },
        optional=("errors",),
    ),
    "ItemProblem": object_of(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": TEXT,
            "status": {"const": 422},
            "detail": TEXT,
            "errors": list_of("WrongValue")
            | {"description": "The first 20 unacceptable fields; the pointers are into the whole body."},
        }
    ),
    "WrongValue": object_of({"pointer": {"type": "string", "format": "json-pointer"}, "detail": TEXT}),
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
