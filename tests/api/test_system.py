"""/api/v1/system and the heartbeats that it shows."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import utc_now
from productator.models import Product, Refresh, RefresherHeartbeat, RefreshHour
from productator.operation import heartbeats
from productator.operation.heartbeats import Counted, Vitals
from productator.operation.state import KeptState
from tests import factories

Sessions = sessionmaker[Session]
SYSTEM = "/api/v1/system"


def state(app: Flask) -> dict[str, Any]:
    """What the system is now; the state of a test before must not be answered."""
    app.extensions["productator-system"] = KeptState()
    answer = app.test_client().get(SYSTEM)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def beat(sessions: Sessions, name: str = "one:1", *, now: datetime | None = None, **over: Any) -> None:
    values: dict[str, Any] = {
        "version": "1.0",
        "started_at": factories.NOW,
        "down_since": None,
        "last_success_at": None,
    }
    counted = over.pop("counted", Counted())
    vitals = Vitals(name=name, **values | {"refreshes_per_s": 1.5} | over)
    with sessions.begin() as session:
        heartbeats.beat(session, vitals, counted, now=now or utc_now())


def set_seen(sessions: Sessions, seen_at: datetime) -> None:
    with sessions.begin() as session:
        session.execute(update(RefresherHeartbeat).values(seen_at=seen_at))


def set_refresh(sessions: Sessions, product_id: int, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(update(Refresh).where(Refresh.product_id == product_id).values(**values))
        session.execute(update(Product).values(registered_at=utc_now()))


def refreshed_product(sessions: Sessions, *, ago_s: float = 31, **values: Any) -> int:
    product_id = factories.stored_product(sessions, now=utc_now())
    later = utc_now() + timedelta(seconds=20)
    known = {"pending": False, "due_at": later, "refreshed_at": utc_now() - timedelta(seconds=ago_s)}
    set_refresh(sessions, product_id, **known | values)
    return product_id


def test_all_is_well_while_refreshers_keep_everything_fresh(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    refreshed_product(sessions, ago_s=2)
    beat(sessions)
    found = state(app)

    assert found["summary"].startswith("All 2 products are fresh; the oldest offers are 3")
    assert found["status"] == "ok"
    assert found["offers_service"] == {"state": "up", "down_since": None}
    assert (found["products"]["fresh"], found["products"]["due"], found["products"]["pending"]) == (2, 0, 0)


def test_the_service_is_down_while_no_refresher_gets_answers(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    since = utc_now() - timedelta(minutes=4, seconds=5)
    beat(sessions, down_since=since)
    beat(sessions, "two:2", down_since=utc_now())
    found = state(app)

    assert found["summary"] == "The Offers service has been down for 4 min; prices are as last seen."
    assert found["status"] == "degraded"
    assert found["offers_service"]["state"] == "down"


def test_the_service_is_up_while_one_refresher_gets_answers(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    beat(sessions, down_since=utc_now() - timedelta(minutes=4))
    beat(sessions, "two:2")

    assert state(app)["offers_service"]["state"] == "up"


def test_without_a_living_refresher_the_state_of_the_service_is_unknown(
    app: Flask, sessions: Sessions
) -> None:
    refreshed_product(sessions)
    beat(sessions)
    set_seen(sessions, utc_now() - timedelta(minutes=2))
    found = state(app)

    assert found["summary"].startswith("No refresher is running; prices are as last seen")
    assert found["offers_service"]["state"] == "unknown"
    assert [each["alive"] for each in found["refreshers"]] == [False]


def test_old_prices_are_counted(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    refreshed_product(sessions, ago_s=250)
    beat(sessions)
    found = state(app)

    assert found["summary"] == "1 of 2 products has old prices; the oldest offers are 4 min old."
    assert found["status"] == "degraded"


def test_products_without_offers_are_not_among_all_that_are_fresh(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    factories.stored_product(sessions, now=utc_now())
    beat(sessions)

    summary = state(app)["summary"]
    assert summary.startswith("1 of 2 products is fresh; the oldest offers are 3")
    assert summary.endswith(" old; 1 without offers yet.")


def test_products_that_fail_most_come_first_with_their_last_error(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions)
    some = refreshed_product(sessions, failures=2, last_error="timed out")
    most = refreshed_product(sessions, failures=7, last_error="not a list of offers")
    found = state(app)

    assert found["products"]["failing"] == 2
    assert [(each["product_id"], each["last_error"]) for each in found["most_failing"]] == [
        (most, "not a list of offers"),
        (some, "timed out"),
    ]


def test_products_that_wait_are_counted_with_the_longest_wait(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions, due_at=utc_now() - timedelta(seconds=65))
    factories.stored_product(sessions, now=utc_now() - timedelta(seconds=5))
    products = state(app)["products"]

    assert (products["due"], products["without_offers"]) == (2, 1)
    assert 65 <= products["longest_wait_s"] < 95


def test_without_products_the_state_says_so(app: Flask) -> None:
    found = state(app)

    assert found["summary"] == "No products yet."
    assert len(found["hours"]) == 24
    assert found["database"]["schema"] == found["database"]["expected_schema"]
    assert found["retention"]["raw_points_days"] == 90


def test_what_refreshers_did_adds_up_by_the_hour(app: Flask, sessions: Sessions) -> None:
    now = utc_now().replace(minute=30)
    beat(sessions, counted=Counted(5, 1, 2), now=now)
    beat(sessions, "two:2", counted=Counted(7, 0, 0), now=now)
    beat(sessions, counted=Counted(3, 0, 0), now=now - timedelta(hours=1))
    before, current = state(app)["hours"][-2:]

    assert (current["refreshes"], current["failures"], current["changes"]) == (12, 1, 2)
    assert before["refreshes"] == 3


def test_a_refresher_has_one_row(app: Flask, sessions: Sessions) -> None:
    beat(sessions)
    beat(sessions, refreshes_per_s=2.5)

    rows = state(app)["refreshers"]
    assert [(each["name"], each["refreshes_per_s"]) for each in rows] == [("one:1", 2.5)]


def test_ten_minutes_after_a_refresher_ended_another_one_deletes_its_row(
    app: Flask, sessions: Sessions
) -> None:
    beat(sessions)
    beat(sessions, "two:2")
    both = state(app)["refreshers"]
    set_seen(sessions, utc_now() - timedelta(minutes=11))
    beat(sessions, "two:2")

    assert [each["name"] for each in both] == ["one:1", "two:2"]
    assert [each["name"] for each in state(app)["refreshers"]] == ["two:2"]


def test_hours_are_kept_for_eight_days(sessions: Sessions) -> None:
    now = utc_now()
    for days in (9, 7, 0):
        beat(sessions, counted=Counted(refreshes=1), now=now - timedelta(days=days))
    with sessions() as session:
        kept = session.scalars(select(RefreshHour.starts_at).order_by(RefreshHour.starts_at)).all()

    assert [(now - each).days for each in kept] == [7, 0]


def test_the_state_is_kept_for_some_seconds(app: Flask, client: FlaskClient) -> None:
    state(app)
    first = client.get(SYSTEM)
    again = client.get(SYSTEM, headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304


def test_an_outage_is_seen_though_the_products_were_counted_before(
    app: Flask, client: FlaskClient, sessions: Sessions
) -> None:
    """Counting very many products takes seconds, so it is done only now and then."""
    app.extensions["productator-system"] = KeptState(programs_kept_s=0)
    refreshed_product(sessions)
    beat(sessions)
    before = client.get(SYSTEM).get_json()
    beat(sessions, down_since=utc_now() - timedelta(minutes=4, seconds=5))
    after = client.get(SYSTEM).get_json()

    assert before["status"] == "ok"
    assert after["measured_at"] == before["measured_at"]
    assert after["summary"].startswith("The Offers service has been down for 4 min")


@pytest.mark.parametrize(("mode", "status"), [("off", 200), ("write", 200), ("all", 401)])
def test_reading_it_needs_a_token_where_reading_does(
    guarded: Callable[..., FlaskClient], mode: str, status: int
) -> None:
    assert guarded(mode).get(SYSTEM).status_code == status


def test_the_page_says_the_same_sentence(app: Flask, sessions: Sessions) -> None:
    refreshed_product(sessions, ago_s=250, failures=3, last_error="<script>")
    beat(sessions, down_since=utc_now() - timedelta(minutes=4, seconds=5))
    state(app)
    page = app.test_client().get("/system").text

    assert "The Offers service has been down for 4 min; prices are as last seen." in page
    assert "&lt;script&gt;" in page
    assert "one:1" in page
