"""Alert rules and events in the document: their schemas and examples."""

from typing import Any

from productator.alerts.firing import Kind
from productator.alerts.validation import NewRuleIn, RuleIn
from productator.api.openapi.parts import Json, shape
from productator.api.schemas.alerts import AlertRuleJson, EventJson, RuleNowJson, RulePatch
from productator.api.schemas.answers import PageJson

SCHEMAS: Json = {
    **{model.__name__: shape(model, mode="validation") for model in (RuleIn, NewRuleIn, RulePatch)},
    "Kind": shape(Kind),
    "AlertRule": shape(AlertRuleJson),
    "AlertRulePage": shape(PageJson[AlertRuleJson]),
    "RuleNow": shape(RuleNowJson),
    "Event": shape(EventJson),
    "EventPage": shape(PageJson[EventJson]),
}
RULE_BODY = {"kind": "threshold", "product_id": 13, "price": 4990, "channel_ids": [3]}
RULE_PATCH = {"muted_until": "2026-12-01T08:00:00.000000Z"}
RULE: dict[str, Any] = {
    "id": 5,
    **RULE_BODY,
    "q": None,
    "percent": None,
    "days": None,
    "cooldown_s": 86400,
    "confirm_periods": 2,
    "rearm_percent": 2.0,
    "muted_until": None,
    "active": True,
    "state": "armed",
    "sentence": "Tell Ops when Hand mill is at or below 4,990.",
    "now": {
        "price": 5290,
        "is_true": False,
        "refreshed_at": "2026-11-23T20:29:31.350012Z",
        "sentence": "Now 5,290.",
    },
    "created_at": "2026-11-23T20:28:55.485399Z",
    "updated_at": "2026-11-23T20:28:55.485399Z",
}
RULES = {"items": [RULE], "next": None}
EVENT: dict[str, Any] = {
    "id": 31,
    "type": "price.threshold",
    "rule_id": 5,
    "product_id": 13,
    "data": {
        "product": {"id": 13, "name": "Hand mill", "url": "/products/13"},
        "price": 4890,
        "price_before": 5290,
        "limit": 4990,
        "currency": None,
        "rule": {"id": 5, "kind": "threshold", "sentence": RULE["sentence"]},
        "changed_at": "2026-11-24T08:00:01.112304Z",
    },
    "occurred_at": "2026-11-24T08:00:01.112304Z",
    "created_at": "2026-11-24T08:01:02.018250Z",
}
EVENTS = {"items": [EVENT], "next": None}
