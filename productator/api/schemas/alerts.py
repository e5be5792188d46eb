"""The shapes of alert rules and events: bodies, queries and answers."""

import json
from typing import Annotated, Any, Literal, cast

from pydantic import Field
from typing_extensions import TypedDict

from productator.alerts.events import EventRow
from productator.alerts.firing import Kind
from productator.alerts.sentences import now_sentence
from productator.alerts.truth import ShownRule
from productator.alerts.validation import (
    Channels,
    Confirm,
    Cooldown,
    Days,
    KindIn,
    Moment,
    Percent,
    Price,
    Rearm,
    RowIdIn,
)
from productator.api.schemas.answers import Amount, Count, Id, Time
from productator.api.schemas.bodies import Patch
from productator.api.schemas.queries import Cursor, IdInQuery, Limit, Query
from productator.catalogue.validation import Name
from productator.domain import time_json

_Order = Literal["id", "-id"]
EventType = Literal[
    "price.threshold",
    "price.dropped",
    "price.rose",
    "price.new_low",
    "stock.back",
    "stock.out",
    "product.stale",
    "product.failing",
    "service.down",
    "service.up",
    "channel.disabled",
    "digest",
    "test",
]


class RulePatch(Patch):
    """A merge patch: absent fields stay, and null removes."""

    kind: KindIn = Kind.THRESHOLD
    product_id: RowIdIn | None = None
    q: Name | None = None
    price: Price | None = None
    percent: Percent | None = None
    days: Days | None = None
    channel_ids: Channels = Field(default=[])
    cooldown_s: Cooldown = 0
    confirm_periods: Confirm = 0
    rearm_percent: Rearm = 0
    muted_until: Moment | None = None
    active: bool = True

    def changes(self) -> dict[str, Any]:
        return {field: getattr(self, field) for field in self.model_fields_set}


class RulesQuery(Query):
    sort: _Order = "id"
    limit: Limit = 50
    cursor: Cursor | None = None


class EventsQuery(RulesQuery):
    type: EventType | None = None
    product_id: IdInQuery | None = None


class RuleNowJson(TypedDict):
    price: Annotated[Amount | None, Field(description="Of the product; null: nothing is in stock.")]
    is_true: Annotated[
        bool | None,
        Field(
            description="What is true when a rule is made is no news. Of several products: whether it is true"
            " of any; null: not known before the notifier has looked at them."
        ),
    ]
    refreshed_at: Time | None
    sentence: Annotated[str | None, Field(description="The price in words; null: no single product.")]


class AlertRuleJson(TypedDict):
    id: Id
    kind: Kind
    product_id: Id | None
    q: str | None
    price: Amount | None
    percent: float | None
    days: Annotated[int | None, Field(ge=1)]
    channel_ids: list[Id]
    cooldown_s: Count
    confirm_periods: Count
    rearm_percent: float
    muted_until: Time | None
    active: bool
    state: Annotated[
        Literal["armed", "fired"], Field(description="`fired` while it is for at least one product.")
    ]
    sentence: Annotated[str, Field(description="The rule in words.")]
    now: RuleNowJson
    created_at: Time
    updated_at: Time


class EventJson(TypedDict):
    id: Id
    type: EventType
    rule_id: Id | None
    product_id: Id | None
    data: Annotated[dict[str, Any], Field(description="As in the body of a webhook.")]
    occurred_at: Annotated[Time, Field(description="When the change happened that caused it.")]
    created_at: Time


def rule_json(found: ShownRule) -> AlertRuleJson:
    rule = found.rule
    return {
        "id": rule.id,
        "kind": Kind(rule.kind),
        "product_id": rule.product_id,
        "q": rule.q,
        "price": rule.price,
        "percent": rule.percent,
        # During an upgrade, an earlier version still stores them with rules of other kinds.
        "days": rule.days if rule.kind == Kind.NEW_LOW else None,
        "channel_ids": list(found.channel_ids),
        "cooldown_s": rule.cooldown_s,
        "confirm_periods": rule.confirm_periods,
        "rearm_percent": rule.rearm_percent,
        "muted_until": None if rule.muted_until is None else time_json(rule.muted_until),
        "active": rule.active,
        "state": "fired" if found.is_fired else "armed",
        "sentence": found.sentence,
        "now": {
            "price": found.price,
            "is_true": found.is_true,
            "refreshed_at": None if found.refreshed_at is None else time_json(found.refreshed_at),
            "sentence": found.product and now_sentence(found.price),
        },
        "created_at": time_json(rule.created_at),
        "updated_at": time_json(rule.updated_at),
    }


def event_json(event: EventRow) -> EventJson:
    return {
        "id": event.id,
        "type": cast("EventType", event.type),
        "rule_id": event.rule_id,
        "product_id": event.product_id,
        "data": json.loads(event.data),
        "occurred_at": time_json(event.occurred_at),
        "created_at": time_json(event.created_at),
    }
