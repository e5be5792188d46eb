"""Routes of alert rules, and of the events that they gave."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, Response, current_app
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from productator.alerts import events, rules, truth
from productator.alerts.rules import RuleRow
from productator.alerts.validation import NewRuleIn, RuleIn
from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import expected_version, tagged
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import PATCH_TYPES, read_body, read_query
from productator.api.conventions.responses import no_content
from productator.api.schemas.alerts import EventsQuery, RulePatch, RulesQuery, event_json, rule_json
from productator.database.web import reading, transaction
from productator.domain import utc_now

alerts = Blueprint("alerts", __name__, url_prefix="/api/v1")


@alerts.get("/alert-rules")
def list_alert_rules() -> Response:
    query = read_query(RulesQuery)
    position = position_of(query.cursor, rules.ORDERS[query.sort])
    with reading() as connection:
        page = rules.page(connection, sort=query.sort, limit=query.limit, position=position)
        shown = truth.shown(connection, page.rows)
    return page_answer(page, map(rule_json, shown))


@alerts.post("/alert-rules")
def create_alert_rule() -> Response:
    """What is true already is no news: `now` says it, and `tell_now` tells it."""
    new = read_body(NewRuleIn)

    def create(session: Session) -> Response:
        now = utc_now()
        rule = rules.create(session, new, now=now)
        if new.tell_now:
            currency: str | None = current_app.config["CURRENCY"]
            truth.tell_now(session, rule.id, now=now, currency=currency)
        return _answer(session.connection(), rule, 201)

    return once(create)


@alerts.get("/alert-rules/<id:rule_id>")
def get_alert_rule(rule_id: int) -> Response:
    with reading() as connection:
        return _answer(connection, rules.get(connection, rule_id))


@alerts.put("/alert-rules/<id:rule_id>")
def replace_alert_rule(rule_id: int) -> Response:
    """A rule that comes to ask for something else begins anew."""
    new, expected = read_body(RuleIn), expected_version()
    return _changed(lambda session, now: rules.replace(session, rule_id, new, expected=expected, now=now))


@alerts.patch("/alert-rules/<id:rule_id>")
def patch_alert_rule(rule_id: int) -> Response:
    """Change the named fields (RFC 7396). A rule that comes to ask for something else begins anew."""
    changes, expected = read_body(RulePatch, types=PATCH_TYPES).changes(), expected_version()
    return _changed(lambda session, now: rules.patch(session, rule_id, changes, expected=expected, now=now))


@alerts.delete("/alert-rules/<id:rule_id>")
def delete_alert_rule(rule_id: int) -> Response:
    """Its events stay."""
    expected = expected_version()
    with transaction() as session:
        rules.remove(session, rule_id, expected=expected)
    return no_content()


@alerts.get("/events")
def list_events() -> Response:
    query = read_query(EventsQuery)
    position = position_of(query.cursor, events.ORDERS[query.sort])
    with reading() as connection:
        page = events.page(
            connection,
            type_=query.type,
            product_id=query.product_id,
            sort=query.sort,
            limit=query.limit,
            position=position,
        )
    return page_answer(page, map(event_json, page.rows))


@alerts.get("/events/<id:event_id>")
def get_event(event_id: int) -> Response:
    with reading() as connection:
        event = events.get(connection, event_id)
    # An event never changes.
    return tagged(event_json(event), "1")


def _changed(change: Callable[[Session, datetime], RuleRow]) -> Response:
    with transaction() as session:
        return _answer(session.connection(), change(session, utc_now()))


def _answer(connection: Connection, rule: RuleRow, status: int = 200) -> Response:
    (shown,) = truth.shown(connection, [rule])
    body = rule_json(shown)
    # The truth of a rule changes without its version. A writer may send any tag of a version.
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:8]
    location = {"Location": address_of("alerts.get_alert_rule", rule_id=rule.id)} if status == 201 else {}  # noqa: PLR2004
    return tagged(body, f"{rule.version}-{digest}", status, location)
