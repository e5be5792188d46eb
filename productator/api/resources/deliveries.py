"""Routes of /api/v1/deliveries, for admins only."""

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from productator.alerts import deliveries as alerts
from productator.api.conventions.conditional import tagged_json
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import read_query
from productator.api.conventions.responses import json_response
from productator.api.schemas.alert_channels import DeliveriesQuery, delivery_json
from productator.database.web import reading
from productator.domain import utc_now

deliveries = Blueprint("deliveries", __name__, url_prefix="/api/v1/deliveries")


@deliveries.get("")
def list_deliveries() -> Response:
    """Deliveries in pages, the newest first. They are kept for 30 days."""
    query = read_query(DeliveriesQuery)
    position = position_of(query.cursor, alerts.ORDERS[query.sort])
    with reading() as connection:
        page = alerts.page(
            connection,
            channel_id=query.channel_id,
            rule_id=query.rule_id,
            status=query.status,
            sort=query.sort,
            limit=query.limit,
            position=position,
        )
    return page_answer(page, map(delivery_json, page.rows))


@deliveries.get("/<id:delivery_id>")
def get_delivery(delivery_id: int) -> Response:
    with reading() as connection:
        delivery = alerts.get(connection, delivery_id)
    return tagged_json(delivery_json(delivery))


@deliveries.post("/<id:delivery_id>/redeliver")
def redeliver(delivery_id: int) -> Response:
    """Try it again from the first try on, with the same message id; one that is under way goes on."""

    def again(session: Session) -> Response:
        delivery = alerts.redeliver(session, delivery_id, now=utc_now())
        return json_response(delivery_json(delivery), 202)

    return once(again)
