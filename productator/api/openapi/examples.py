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
REFRESH_STATE = {
    "product_id": 13,
    "due_at": "2026-11-23T20:36:11.500000Z",
    "refreshed_at": None,
    "failures": 4,
    "last_error": "The Offers service answered 422 when registering.",
}
METRICS = 'productator_http_requests_total{method="GET",route="/api/v1/products",status="200"} 7.0'
TOKEN_BODY = {"name": "shop front", "scopes": ["read"], "expires_at": "2027-01-31T12:00:00Z"}
TOKEN: dict[str, Any] = {
    "id": 3,
    "name": "shop front",
    "prefix": "pt_Zk3Qx",
    "scopes": ["read"],
    "state": "active",
    "created_at": _CREATED,
    "expires_at": "2027-01-31T12:00:00.000000Z",
    "last_used_at": None,
    "revoked_at": None,
}
NEW_TOKEN = TOKEN | {"secret": "pt_Zk3QxW7eR1tY5uI9oP3aS7dF1gH5jK9lZ3xC7vB1nM5"}
TOKENS = {"items": [TOKEN], "next": None}
SYSTEM: dict[str, Any] = {
    "summary": "All 12,031 products are fresh; the oldest offers are 31 s old.",
    "status": "ok",
    "measured_at": _UPDATED,
    "products": {
        "total": 12031,
        "fresh": 12031,
        "stale": 0,
        "without_offers": 0,
        "pending": 0,
        "failing": 1,
        "due": 12,
        "longest_wait_s": 0.4,
        "oldest_offers_s": 31.2,
    },
    "most_failing": [
        {
            "product_id": 13,
            "name": "Hand mill",
            "failures": 1,
            "last_error": "The answer is not a list of offers.",
            "refreshed_at": _UPDATED,
        }
    ],
    "offers_service": {"state": "up", "down_since": None},
    "refreshers": [
        {
            "name": "refresher-1:7",
            "version": "1.0.0",
            "alive": True,
            "started_at": _CREATED,
            "seen_at": _UPDATED,
            "breaker": "closed",
            "down_since": None,
            "last_success_at": _UPDATED,
            "refreshes_per_s": 401.0,
        }
    ],
    "hours": [
        {"starts_at": "2026-11-23T20:00:00.000000Z", "refreshes": 721860, "failures": 3, "changes": 20140}
    ],
    "alerts": {"waiting_since": None, "disabled_channels": 0},
    "database": {"kind": "MariaDB", "version": "10.11.6", "schema": "0022", "expected_schema": "0022"},
    "retention": {
        "changes_days": 365,
        "raw_points_days": 14,
        "hourly_points_days": 730,
        "daily_points_days": 0,
    },
    "versions": {"productator": "1.0.0", "python": "3.14.0"},
}
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
