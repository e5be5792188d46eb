"""The route of /api/v1/system: how the system does."""

import platform
from datetime import timedelta
from importlib import metadata

from flask import Blueprint, Flask, Response, current_app

from productator.alerts import backlog
from productator.alerts.backlog import NotifierBacklog
from productator.api.conventions.conditional import tagged_content
from productator.api.conventions.responses import json_response
from productator.api.schemas.system import RetentionJson, VersionsJson, system_json
from productator.database.web import reading
from productator.domain import STALE_AFTER_PERIODS, Retention, utc_now
from productator.operation.state import KeptState, SystemState

system = Blueprint("system", __name__, url_prefix="/api/v1/system")

_EXTENSION = "productator-system"


def init_app(app: Flask, retention: Retention) -> None:
    app.extensions[_EXTENSION] = KeptState()
    app.config["RETENTION"] = retention


@system.get("")
def get_system() -> Response:
    """The state of products, refreshers, alerts, database and retention; some seconds old at most."""
    body = system_json(current_state(), current_backlog(), retention=retention(), versions=versions())
    return tagged_content(json_response(body))


def current_state() -> SystemState:
    kept: KeptState = current_app.extensions[_EXTENSION]
    stale_after = timedelta(seconds=STALE_AFTER_PERIODS * current_app.config["REFRESHER_PERIOD_S"])
    return kept.get(reading, now=utc_now(), stale_after=stale_after)


def current_backlog() -> NotifierBacklog:
    with reading() as connection:
        return backlog.read(connection, now=utc_now())


def retention() -> RetentionJson:
    kept: Retention = current_app.config["RETENTION"]
    return {
        "changes_days": kept.changes_days,
        "raw_points_days": kept.raw_points_days,
        "hourly_points_days": kept.hourly_points_days,
        "daily_points_days": kept.daily_points_days,
    }


def versions() -> VersionsJson:
    return {"productator": metadata.version("productator"), "python": platform.python_version()}
