"""The page of deliveries, for administrators."""

import re

from flask.testing import FlaskClient

from productator.domain import utc_now
from tests.web.alerts import (
    DELIVERIES,
    Sessions,
    deliveries,
    disabled_channel,
    stored_channel,
    stored_delivery,
)
from tests.web.browser import send_form
from tests.web.pages import get, texts


def test_deliveries_say_how_far_they_have_come(client: FlaskClient, sessions: Sessions) -> None:
    channel_id = stored_channel(sessions)
    stored_delivery(sessions, channel_id, status="failed", attempts=8, last_error="timeout", next_try_at=None)
    stored_delivery(sessions, channel_id, attempts=2, last_status=503)
    stored_delivery(sessions, channel_id, status="delivered", delivered_at=utc_now(), last_status=204)
    arrived, waiting, failed = texts(get(client, DELIVERIES), "tbody tr")

    assert failed.startswith("Price reached: Hand mill 4,990 Ops failed 8 timeout")
    assert "under way next try" in waiting
    assert "answered 503" in waiting
    assert re.search(r"delivered [0-9]+\ss ago 0 none", arrived)


def test_deliveries_are_filtered(client: FlaskClient, sessions: Sessions) -> None:
    ops, shop = stored_channel(sessions), stored_channel(sessions, name="Shop")
    stored_delivery(sessions, ops, name="Axe", status="failed", rule_id=7)
    stored_delivery(sessions, shop, name="Bell")

    assert len(texts(get(client, f"{DELIVERIES}?channel_id={ops}"), "tbody tr")) == 1
    assert "Axe" in get(client, f"{DELIVERIES}?status=failed")
    assert "Bell" not in get(client, f"{DELIVERIES}?rule_id=7")
    assert "No such deliveries" in get(client, f"{DELIVERIES}?channel_id={shop}&status=failed")
    assert (
        len(texts(get(client, f"{DELIVERIES}?channel_id=x&status=&rule_id=99999999999999999999"), "tbody tr"))
        == 2
    )


def test_a_failed_delivery_is_sent_again_with_the_same_message_id(
    client: FlaskClient, sessions: Sessions
) -> None:
    delivery_id = stored_delivery(sessions, stored_channel(sessions), status="failed", next_try_at=None)
    (before,) = deliveries(client)
    answer = send_form(client, DELIVERIES, f"{DELIVERIES}/{delivery_id}/redeliver?status=failed")
    (after,) = deliveries(client)

    assert answer.headers["Location"] == f"{DELIVERIES}?status=failed&done=again"
    assert (after["status"], after["message_id"]) == ("pending", before["message_id"])
    assert '<span class="soft">sent again by hand</span>' in get(client, DELIVERIES)


def test_nothing_is_sent_again_to_a_disabled_channel(client: FlaskClient, sessions: Sessions) -> None:
    delivery_id = stored_delivery(sessions, disabled_channel(sessions), status="failed")
    assert "Send again</button>" not in get(client, DELIVERIES)
    answer = send_form(client, "/alerts/new", f"{DELIVERIES}/{delivery_id}/redeliver")

    assert "its channel is disabled" in get(client, answer.headers["Location"])
    assert deliveries(client)[0]["status"] == "failed"
