"""The parts that the document's operations share: schemas, parameters and headers."""

from typing import Any

from productator.api.conventions.idempotency import KEY_PATTERN
from productator.api.openapi import alerts, prices, problems, security
from productator.api.openapi.parts import ID, TEXT, Json, shape
from productator.api.schemas import system
from productator.api.schemas.alert_channels import (
    ChannelIn,
    ChannelJson,
    ChannelPatch,
    ChannelWithSecretJson,
    DeliveryJson,
    QuietHoursIn,
    QuietHoursJson,
    QuietHoursPatch,
)
from productator.api.schemas.answers import (
    AliveJson,
    BatchAnswerJson,
    BatchCreatedJson,
    BatchRefusedJson,
    ItemProblemJson,
    OfferJson,
    PageJson,
    ProblemJson,
    ProductJson,
    ProductOffersJson,
    ReadyJson,
    RefreshJson,
    RefreshStateJson,
    WrongValueJson,
)
from productator.api.schemas.bodies import OfferIn, OfferPatch, ProductBatch, ProductPatch, TokenIn
from productator.api.schemas.tokens import NewTokenJson, TokenJson
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
    models = (
        ProductIn,
        ProductPatch,
        ProductBatch,
        OfferIn,
        OfferPatch,
        TokenIn,
        ChannelIn,
        ChannelPatch,
        QuietHoursIn,
        QuietHoursPatch,
    )
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
        "Metrics": TEXT,
        **prices.SCHEMAS,
        **alerts.SCHEMAS,
    }


_ANSWERS: dict[str, Any] = {
    "Product": ProductJson,
    "Offer": OfferJson,
    "ProductPage": PageJson[ProductJson],
    "OfferPage": PageJson[OfferJson],
    "ProductOffers": ProductOffersJson,
    "BatchAnswer": BatchAnswerJson,
    "BatchCreated": BatchCreatedJson,
    "BatchRefused": BatchRefusedJson,
    "Refresh": RefreshJson,
    "RefreshState": RefreshStateJson,
    "Token": TokenJson,
    "NewToken": NewTokenJson,
    "TokenPage": PageJson[TokenJson],
    "System": system.SystemJson,
    "ProductFigures": system.ProductFiguresJson,
    "FailingProduct": system.FailingProductJson,
    "OffersService": system.OffersServiceJson,
    "Refresher": system.RefresherJson,
    "WaitingAlerts": system.WaitingAlertsJson,
    "Hour": system.HourJson,
    "Database": system.DatabaseJson,
    "Retention": system.RetentionJson,
    "Versions": system.VersionsJson,
    "Channel": ChannelJson,
    "ChannelWithSecret": ChannelWithSecretJson,
    "ChannelPage": PageJson[ChannelJson],
    "QuietHours": QuietHoursJson,
    "Delivery": DeliveryJson,
    "DeliveryPage": PageJson[DeliveryJson],
    "Alive": AliveJson,
    "Ready": ReadyJson,
    "Problem": ProblemJson,
    "ItemProblem": ItemProblemJson,
    "WrongValue": WrongValueJson,
}

# Most headers have no pattern: the API replaces or ignores an unsuitable one, and does not refuse it.
# They have no `example`, since Swagger UI would send it with every request that someone tries.
PARAMETERS: Json = {
    "id": {"name": "id", "in": "path", "required": True, "description": "The product.", "schema": ID},
    "offer_id": {
        "name": "offer_id",
        "in": "path",
        "required": True,
        "description": "The offer.",
        "schema": ID,
    },
    "token_id": {
        "name": "token_id",
        "in": "path",
        "required": True,
        "description": "The token.",
        "schema": ID,
    },
    "channel_id": {
        "name": "channel_id",
        "in": "path",
        "required": True,
        "description": "The channel.",
        "schema": ID,
    },
    "delivery_id": {
        "name": "delivery_id",
        "in": "path",
        "required": True,
        "description": "The delivery.",
        "schema": ID,
    },
    "rule_id": {
        "name": "rule_id",
        "in": "path",
        "required": True,
        "description": "The alert rule.",
        "schema": ID,
    },
    "signature": {
        "name": "signature",
        "in": "path",
        "required": True,
        "description": "What nobody can guess of the address.",
        "schema": TEXT,
    },
    "event_id": {
        "name": "event_id",
        "in": "path",
        "required": True,
        "description": "The event.",
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
        "description": 'Change only a version with one of these tags, such as `"7"`; `*`: any version.',
        "schema": TEXT,
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": 'Tags such as `"7"`, or `*`: while one is current, reads answer 304, changes 412.',
        "schema": TEXT,
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A request sent again with its key within 24 hours has one effect and one answer.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
    },
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "The request's id: up to 128 of `A-Z a-z 0-9 . _ : / + = -`; else the API makes one.",
        "schema": TEXT,
    },
}

_HEADERS: Json = {
    "ETag": {"description": "The strong entity tag.", "schema": {"type": "string", "pattern": '^"[^"]+"$'}},
    "Idempotency-Replayed": {
        "description": "`true` on a repeated answer; else absent.",
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
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "X-Request-Id": {
        "description": "The id of the request: its own, or one that the API made.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/+=-]{1,128}$"},
    },
    "WWW-Authenticate": {
        "description": "`Bearer`, with the error of the token, or the scope that it lacks.",
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
    "Accept-Encoding": {
        "description": "The encodings of bodies that the API reads, where one is refused for another.",
        "required": False,
        "schema": {"type": "string", "const": "identity"},
    },
    "Allow": {"description": "The methods of the path.", "schema": TEXT, "example": "GET, HEAD, OPTIONS"},
    "Cache-Control": {
        "description": "How long the answer may be cached; `private` where a token was needed or sent.",
        "schema": TEXT,
    },
    "Vary": {
        "description": "The headers of the request that the answer depends on.",
        "required": False,
        "schema": TEXT,
    },
    "X-Content-Type-Options": {
        "description": "Browsers must not guess another type than `Content-Type`.",
        "schema": {"type": "string", "const": "nosniff"},
    },
    "Content-Security-Policy": {
        "description": "The page may load only what the API serves.",
        "schema": TEXT,
    },
}
