"""The JSON of the system's state."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from productator.alerts.backlog import NotifierBacklog
from productator.api.schemas.answers import Count, Id, Time
from productator.domain import time_json
from productator.operation.heartbeats import LivingRefresher
from productator.operation.state import SystemState
from productator.operation.summary import sentence

Seconds = Annotated[float, Field(ge=0)]


class ProductFiguresJson(TypedDict):
    total: Count
    fresh: Annotated[int, Field(ge=0, description="Refreshed within three periods.")]
    stale: Annotated[int, Field(ge=0, description="Refreshed before that.")]
    without_offers: Annotated[int, Field(ge=0, description="Never refreshed.")]
    pending: Annotated[int, Field(ge=0, description="Not registered with the Offers service yet.")]
    failing: Annotated[int, Field(ge=0, description="The last refresh failed.")]
    due: Count
    longest_wait_s: Annotated[float, Field(ge=0, description="Of the product that has been due for longest.")]
    oldest_offers_s: Seconds | None


class FailingProductJson(TypedDict):
    product_id: Id
    name: str
    failures: Annotated[int, Field(ge=1, description="In a row.")]
    last_error: str | None
    refreshed_at: Time | None


class OffersServiceJson(TypedDict):
    state: Annotated[
        Literal["up", "down", "unknown"], Field(description="`unknown`: no refresher is running.")
    ]
    down_since: Time | None


class RefresherJson(TypedDict):
    name: str
    version: str
    alive: Annotated[bool, Field(description="Whether it was seen in the last 45 seconds.")]
    started_at: Time
    seen_at: Time
    breaker: Literal["closed", "open"]
    down_since: Time | None
    last_success_at: Time | None
    refreshes_per_s: Seconds


class WaitingAlertsJson(TypedDict):
    waiting_since: Annotated[
        Time | None,
        Field(description="Since when the oldest change or delivery waits for a notifier; null: none does."),
    ]
    disabled_channels: Annotated[
        int, Field(ge=0, description="They failed for good; nothing is sent to them.")
    ]


class HourJson(TypedDict):
    starts_at: Time
    refreshes: Count
    failures: Count
    changes: Annotated[int, Field(ge=0, description="Of offers: added, changed or removed.")]


class DatabaseJson(TypedDict):
    kind: Literal["SQLite", "MariaDB", "MySQL"]
    version: str
    schema: str | None
    expected_schema: str


class RetentionJson(TypedDict):
    changes_days: Annotated[int, Field(ge=0, description="0, here and below: for ever.")]
    raw_points_days: Count
    hourly_points_days: Count
    daily_points_days: Count


class VersionsJson(TypedDict):
    productator: str
    python: str


class SystemJson(TypedDict):
    summary: Annotated[str, Field(description="What matters most, in one sentence.")]
    status: Literal["ok", "degraded"]
    measured_at: Annotated[
        Time,
        Field(description="When products were counted: five seconds ago or less, unless that takes long."),
    ]
    products: ProductFiguresJson
    most_failing: Annotated[list[FailingProductJson], Field(max_length=20)]
    offers_service: OffersServiceJson
    refreshers: list[RefresherJson]
    alerts: WaitingAlertsJson
    hours: Annotated[list[HourJson], Field(description="The last 24, the current one included.")]
    database: DatabaseJson
    retention: RetentionJson
    versions: VersionsJson


def system_json(
    state: SystemState, backlog: NotifierBacklog, *, retention: RetentionJson, versions: VersionsJson
) -> SystemJson:
    products = state.products
    oldest_s = products.oldest_offers_s
    return {
        "summary": sentence(state),
        "status": "ok" if state.is_well else "degraded",
        "measured_at": time_json(state.measured_at),
        "products": {
            "total": products.total,
            "fresh": products.fresh,
            "stale": products.stale,
            "without_offers": products.without_offers,
            "pending": products.pending,
            "failing": products.failing,
            "due": products.due,
            "longest_wait_s": round(products.longest_wait_s, 1),
            "oldest_offers_s": None if oldest_s is None else round(oldest_s, 1),
        },
        "most_failing": [
            {
                "product_id": each.product_id,
                "name": each.name,
                "failures": each.failures,
                "last_error": each.last_error,
                "refreshed_at": _time(each.refreshed_at),
            }
            for each in state.most_failing
        ],
        "offers_service": {
            "state": "down" if state.down_since else "up" if state.living else "unknown",
            "down_since": _time(state.down_since),
        },
        "refreshers": [_refresher_json(each, now=state.now) for each in state.refreshers],
        "alerts": {
            "waiting_since": _time(backlog.waiting_since),
            "disabled_channels": backlog.disabled_channels,
        },
        "hours": [
            {
                "starts_at": time_json(each.starts_at),
                "refreshes": each.refreshes,
                "failures": each.failures,
                "changes": each.changes,
            }
            for each in state.hours
        ],
        "database": {
            "kind": state.database.kind,  # type: ignore[typeddict-item] # one of these three
            "version": state.database.version,
            "schema": state.database.schema,
            "expected_schema": state.database.expected_schema,
        },
        "retention": retention,
        "versions": versions,
    }


def _refresher_json(refresher: LivingRefresher, *, now: datetime) -> RefresherJson:
    return {
        "name": refresher.name,
        "version": refresher.version,
        "alive": refresher.is_alive(now=now),
        "started_at": time_json(refresher.started_at),
        "seen_at": time_json(refresher.seen_at),
        "breaker": "open" if refresher.down_since else "closed",
        "down_since": _time(refresher.down_since),
        "last_success_at": _time(refresher.last_success_at),
        "refreshes_per_s": round(refresher.refreshes_per_s, 2),
    }


def _time(time: datetime | None) -> str | None:
    return time_json(time) if time else None
