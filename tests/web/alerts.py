"""Channels, rules and deliveries that tests of the alert pages begin with."""

from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts.deliveries import announce
from productator.domain import utc_now
from productator.models import Channel, Delivery

Sessions = sessionmaker[Session]
RULES, DELIVERIES = "/api/v1/alert-rules", "/alerts/deliveries"


def stored_channel(sessions: Sessions, **over: Any) -> int:
    now = utc_now()
    values = {
        "name": "Ops",
        "kind": "webhook",
        "address": "https://ops.example/hook",
        "secret": "whsec_c2VjcmV0",
    }
    with sessions.begin() as session:
        made = Channel(**values | {"messages_an_hour": 20, "created_at": now, "updated_at": now} | over)
        session.add(made)
        session.flush()
        return made.id


def disabled_channel(sessions: Sessions, **over: Any) -> int:
    reason = "Every try has failed for five days."
    return stored_channel(
        sessions, disabled_at=utc_now() - timedelta(minutes=4), disabled_reason=reason, **over
    )


def posted_rule(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    response = client.post(RULES, json=fields)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.get_json()
    return body


def stored_delivery(sessions: Sessions, channel_id: int, *, name: str = "Hand mill", **over: Any) -> int:
    """Of an event of a product that is no more."""
    data = {"product": {"id": 1, "name": name, "url": "/products/1"}, "price": 4990, "price_before": 5290}
    with sessions.begin() as session:
        (delivery_id,) = announce(
            session,
            "price.threshold",
            data,
            cause=f"{name}:{channel_id}:{sorted(over)}",
            channel_ids=[channel_id],
            now=utc_now(),
        )
        delivery = session.get_one(Delivery, delivery_id)
        for field, value in over.items():
            setattr(delivery, field, value)
        return delivery_id


def stored_rules(client: FlaskClient) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = client.get(RULES).get_json()["items"]
    return rules


def form_of(product_id: Any = None, **over: Any) -> dict[str, Any]:
    """What the form of a rule sends."""
    about = {"about": "all"} if product_id is None else {"about": "product", "product_id": product_id}
    fields = {"kind": "threshold", "days": "90", "active": "1"}
    fields |= {"price": "90"} if over.get("kind", "threshold") == "threshold" else {}
    limits = {"cooldown_h": "24", "confirm_periods": "2", "rearm_percent": "2"}
    return {**about, **fields, **limits, **over}


def deliveries(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/v1/deliveries").get_json()["items"]
    return found
