"""The examples of the OpenAPI document; a test validates each against its schema."""

from typing import Any

from productator.api.conventions.problem_types import INVALID_INPUT, ProblemType

_CREATED = "2026-11-23T20:28:55.485399Z"
_UPDATED = "2026-11-23T20:29:31.350012Z"
_ADDRESS = "http://127.0.0.1:6606/api/v1"

PRODUCT_BODY = {"name": "Hand mill", "description": "Conical burr"}
PRODUCT_PATCH = {"description": "Ceramic burr"}
OFFER_BODY = {"price": 5490, "items_in_stock": 3}
OFFER_PATCH = {"items_in_stock": 2}

PRODUCT: dict[str, Any] = {
    "id": 13,
    **PRODUCT_BODY,
    "registration": "registered",
    "created_at": _CREATED,
    "updated_at": _UPDATED,
}
PENDING_PRODUCT = PRODUCT | {"registration": "pending", "updated_at": _CREATED}
BATCH_BODY = {"items": [PRODUCT_BODY, {"name": " "}]}
BATCH_ANSWER: dict[str, Any] = {
    "items": [
        {"status": 201, "location": f"{_ADDRESS}/products/13", "etag": '"1p"', "product": PENDING_PRODUCT},
        {
            "status": 422,
            "problem": {
                "type": INVALID_INPUT.type,
                "title": INVALID_INPUT.title,
                "status": 422,
                "detail": "The item is not acceptable; `errors` says why.",
                "errors": [{"pointer": "/items/1/name", "detail": "Must not be blank."}],
            },
        },
    ],
    "created": 1,
    "failed": 1,
}
PRODUCTS = {"items": [PRODUCT], "next": None}

OWN_OFFER: dict[str, Any] = {
    "id": 72,
    "product_id": 13,
    "source": "own",
    "external_id": None,
    "price": 5490,
    "currency": None,
    "items_in_stock": 3,
    "created_at": _CREATED,
    "updated_at": _UPDATED,
}
EXTERNAL_OFFER = OWN_OFFER | {"id": 68, "source": "external", "external_id": "2151436061245441"}
OFFERS = {"items": [OWN_OFFER], "next": f"{_ADDRESS}/offers?limit=1&cursor=.eJwdyEkKgDAMAMC"}
PRODUCT_OFFERS = {
    "items": [EXTERNAL_OFFER, OWN_OFFER],
    "next": None,
    "refreshed_at": _UPDATED,
    "stale": False,
}
_CHANGE: dict[str, Any] = {
    "product_id": 13,
    "offer_id": 68,
    "source": "external",
    "external_id": "2151436061245441",
    "change": "appeared",
    "price": 5490,
    "currency": None,
    "items_in_stock": 3,
    "changed_at": _CREATED,
}
_REMOVAL = {"change": "removed", "price": None, "items_in_stock": None, "changed_at": _UPDATED}
OFFER_CHANGES = {"items": [_CHANGE, _CHANGE | _REMOVAL], "next": None}
REFRESH = {"product_id": 13, "due_at": _UPDATED}
CHANNEL_BODY: dict[str, Any] = {
    "name": "Ops",
    "kind": "webhook",
    "address": "https://hooks.example/alerts",
    "quiet_hours": {"begin": "22:00", "end": "07:00", "time_zone": "Europe/Prague"},
}
CHANNEL_PATCH = {"messages_an_hour": None}
CHANNEL: dict[str, Any] = CHANNEL_BODY | {
    "id": 3,
    "has_secret": True,
    "old_secret_until": None,
    "messages_an_hour": 20,
    "last_success_at": None,
    "failing_since": None,
    "disabled_at": None,
    "disabled_reason": None,
    "created_at": _CREATED,
    "updated_at": _CREATED,
}
CHANNEL_WITH_SECRET = CHANNEL | {"secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
CHANNELS = {"items": [CHANNEL], "next": None}
DELIVERY: dict[str, Any] = {
    "id": 77,
    "event_id": 41,
    "type": "test",
    "channel_id": 3,
    "rule_id": None,
    "message_id": "msg_0f8a5c3e1b7d4e0c9a2b6d8f1e3c5a7b",
    "status": "pending",
    "attempts": 0,
    "next_try_at": _UPDATED,
    "last_status": None,
    "last_error": None,
    "created_at": _UPDATED,
    "delivered_at": None,
}
DELIVERIES = {"items": [DELIVERY], "next": None}
ALIVE = {"status": "alive"}
READY = {"status": "ready"}


def problem(problem_type: ProblemType) -> dict[str, Any]:
    return {
        "type": problem_type.type,
        "title": problem_type.title,
        "status": int(problem_type.status),
        "detail": problem_type.example,
        "instance": "/api/v1/products/13",
        "request_id": "eda750b47d774cbfa3cca6d62fd3b8cd",
    }
