"""Alert rules through the API: what is accepted, what they say, and how they change."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from productator.alerts.validation import RuleIn
from productator.models import AlertRule, Channel
from tests import factories
from tests.api.checks import problem, wrong_fields

RULES = "/api/v1/alert-rules"
EVENTS = "/api/v1/events"
Json = dict[str, Any]


@pytest.fixture
def channel(sessions: sessionmaker[Session], client: FlaskClient) -> int:
    del client
    with sessions.begin() as session:
        made = Channel(
            name="Ops",
            kind="webhook",
            address="https://ops.example",
            created_at=factories.NOW,
            updated_at=factories.NOW,
        )
        session.add(made)
        session.flush()
        return made.id


def posted(client: FlaskClient, **fields: Any) -> Json:
    response = client.post(RULES, json=fields)
    assert response.status_code == 201, response.text
    body: Json = response.get_json()
    return body


def test_a_rule_reads_as_a_sentence_with_its_truth_now(
    client: FlaskClient, offer: Json, channel: int
) -> None:
    del offer
    response = client.post(
        RULES,
        json={"kind": "threshold", "product_id": 1, "price": 99, "channel_ids": [channel]}
        | {"product_id": client.get("/api/v1/products").get_json()["items"][0]["id"]},
    )
    rule = response.get_json()

    assert rule["sentence"] == "Tell Ops when Espresso machine is at or below 99."
    assert rule["now"] == {"price": 100, "is_true": False, "refreshed_at": None, "sentence": "Now 100."}
    assert (rule["state"], rule["channel_ids"]) == ("armed", [channel])
    assert client.get(response.headers["Location"]).get_json() == rule
    assert client.get(RULES).get_json()["items"] == [rule]


def test_a_rule_has_the_defaults_of_the_contract(client: FlaskClient) -> None:
    rule = posted(client, kind="new_low")

    assert (rule["cooldown_s"], rule["confirm_periods"], rule["rearm_percent"], rule["days"]) == (
        86_400,
        2,
        2,
        90,
    )
    assert rule["active"]


@pytest.mark.parametrize(
    ("fields", "is_true"),
    [
        ({"kind": "threshold", "price": 100}, True),
        ({"kind": "threshold", "price": 99}, False),
        ({"kind": "back_in_stock"}, True),
        ({"kind": "out_of_stock"}, False),
        ({"kind": "new_low"}, None),
        ({"kind": "threshold", "price": 100, "q": "machine"}, None),
        ({"kind": "stale"}, False),
    ],
)
def test_a_rule_about_all_products_says_whether_it_is_true_of_any(
    client: FlaskClient, offer: Json, fields: Json, is_true: bool | None
) -> None:
    del offer

    assert posted(client, **fields)["now"]["is_true"] is is_true


def test_only_a_new_low_has_days(client: FlaskClient) -> None:
    rule = posted(client, kind="stale", days=None)
    url = f"{RULES}/{rule['id']}"
    assert (rule["days"], posted(client, kind="stale")["days"]) == (None, None)
    low = client.patch(url, json={"kind": "new_low", "days": 30}).get_json()
    assert low["days"] == 30

    assert client.patch(url, json={"kind": "out_of_stock"}).get_json()["days"] is None
    assert wrong_fields(client.patch(url, json={"days": 7})) == {"/days"}


def test_what_is_true_already_is_told_if_wished(client: FlaskClient, offer: Json, channel: int) -> None:
    fields = {"kind": "threshold", "product_id": offer["product_id"], "price": 100, "channel_ids": [channel]}
    silent = posted(client, **fields)
    assert silent["now"]["is_true"]
    assert client.get(EVENTS).get_json()["items"] == []

    loud = posted(client, **fields, tell_now=True)
    (event,) = client.get(EVENTS).get_json()["items"]
    assert (event["type"], event["rule_id"], event["data"]["price"]) == ("price.threshold", loud["id"], 100)
    assert client.get(f"{EVENTS}/{event['id']}").get_json() == event
    assert client.get(f"{EVENTS}?type=stock.out").get_json()["items"] == []
    assert client.get(f"{EVENTS}?product_id={offer['product_id']}").get_json()["items"] == [event]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"/kind"}),
        ({"kind": "cheap"}, {"/kind"}),
        ({"kind": "threshold"}, {"/price"}),
        ({"kind": "drop", "price": 1}, {"/price", "/percent"}),
        ({"kind": "drop", "percent": 101}, {"/percent"}),
        ({"kind": "rise", "percent": 0}, {"/percent"}),
        ({"kind": "out_of_stock", "product_id": 999, "q": "mill"}, {"/q", "/product_id"}),
        ({"kind": "service", "q": "mill"}, {"/q"}),
        ({"kind": "out_of_stock", "channel_ids": [998, 999]}, {"/channel_ids/0", "/channel_ids/1"}),
        ({"kind": "out_of_stock", "cooldown_s": -1, "q": " ", "active": 1}, {"/cooldown_s", "/q", "/active"}),
        ({"kind": "out_of_stock", "muted_until": "soon"}, {"/muted_until"}),
        ({"kind": "out_of_stock", "muted_until": "2027-01-01T00:00:00"}, {"/muted_until"}),
        ({"kind": "out_of_stock", "muted_until": "9999-12-31T23:59:59-05:00"}, {"/muted_until"}),
        ({"kind": "out_of_stock", "colour": "red"}, {"/colour"}),
        ({"kind": "drop", "percent": 5, "days": 30}, {"/days"}),
        ({"kind": "out_of_stock", "q": "mill", "tell_now": True}, {"/tell_now"}),
        ({"kind": "service", "tell_now": True}, {"/tell_now"}),
        (
            {"kind": "failing", "product_id": 999, "active": False, "tell_now": True},
            {"/tell_now", "/product_id"},
        ),
    ],
)
def test_every_wrong_field_is_named(client: FlaskClient, body: Json, wrong: set[str]) -> None:
    assert wrong_fields(client.post(RULES, json=body)) == wrong


@pytest.mark.parametrize(
    "time",
    [
        "20270131T120000Z",
        "2027-W05-1T12:00:00Z",
        "2027-01-31T12Z",
        "2027-01-31_12:00:00Z",
        "2027-01-31T12:00:00+0100",
        "2027-02-30T12:00:00Z",
    ],
)
def test_a_time_that_is_not_in_rfc_3339_is_refused(client: FlaskClient, time: str) -> None:
    body = {"kind": "out_of_stock", "muted_until": time}

    assert wrong_fields(client.post(RULES, json=body)) == {"/muted_until"}


def test_a_time_may_have_small_letters(client: FlaskClient) -> None:
    rule = posted(client, kind="out_of_stock", muted_until="2027-01-31t12:00:00z")

    assert rule["muted_until"] == "2027-01-31T12:00:00.000000Z"


def test_a_patch_changes_the_named_fields_and_null_removes(client: FlaskClient, channel: int) -> None:
    rule = posted(client, kind="out_of_stock", q="mill", channel_ids=[channel])
    url = f"{RULES}/{rule['id']}"

    changed = client.patch(url, json={"q": None, "cooldown_s": 60}).get_json()
    assert (changed["q"], changed["cooldown_s"], changed["channel_ids"]) == (None, 60, [channel])
    muted = client.patch(url, json={"muted_until": "2027-01-31T13:00:00+01:00"}).get_json()
    assert muted["muted_until"] == "2027-01-31T12:00:00.000000Z"
    assert client.patch(url, json={"channel_ids": []}).get_json()["channel_ids"] == []
    assert wrong_fields(client.patch(url, json={"kind": "threshold"})) == {"/price"}


def test_a_rule_that_an_earlier_version_stored_with_days_can_be_put_back(
    client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    url = f"{RULES}/{posted(client, kind='stale')['id']}"
    with sessions.begin() as session:
        session.execute(update(AlertRule).values(days=90))
    shown = client.get(url).get_json()
    given = {name: shown[name] for name in (*RuleIn.COLUMNS, "channel_ids")}

    assert shown["days"] is None
    assert client.put(url, json=given).status_code == 200


def test_a_put_sets_what_is_left_out_to_its_default(client: FlaskClient) -> None:
    rule = posted(client, kind="out_of_stock", q="mill", cooldown_s=60)
    replaced = client.put(f"{RULES}/{rule['id']}", json={"kind": "back_in_stock"}).get_json()

    assert (replaced["kind"], replaced["q"], replaced["cooldown_s"]) == ("back_in_stock", None, 86_400)


def test_a_rule_is_changed_only_in_the_version_that_was_read(client: FlaskClient, channel: int) -> None:
    rule = posted(client, kind="out_of_stock")
    url = f"{RULES}/{rule['id']}"
    tag = client.get(url).headers["ETag"]

    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    first = client.patch(url, json={"channel_ids": [channel]}, headers={"If-Match": tag})
    assert first.status_code == 200
    problem(client.patch(url, json={"active": False}, headers={"If-Match": tag}), 412)
    problem(client.delete(url, headers={"If-Match": tag}), 412)
    assert client.delete(url, headers={"If-Match": first.headers["ETag"]}).status_code == 204
    problem(client.get(url), 404)


def test_the_tag_of_a_rule_follows_its_truth(client: FlaskClient, offer: Json) -> None:
    rule = posted(client, kind="threshold", product_id=offer["product_id"], price=90)
    url = f"{RULES}/{rule['id']}"
    tag = client.get(url).headers["ETag"]
    client.patch(f"/api/v1/products/{offer['product_id']}/offers/{offer['id']}", json={"price": 80})

    fresh = client.get(url, headers={"If-None-Match": tag})
    assert fresh.get_json()["now"]["is_true"]
    assert client.patch(url, json={"active": False}, headers={"If-Match": tag}).status_code == 200


def test_a_repeated_post_makes_one_rule(client: FlaskClient) -> None:
    call = {"json": {"kind": "service"}, "headers": {"Idempotency-Key": "once"}}
    first, second = client.post(RULES, **call), client.post(RULES, **call)

    assert first.get_json() == second.get_json()
    assert len(client.get(RULES).get_json()["items"]) == 1


def test_rules_come_in_pages(client: FlaskClient) -> None:
    ids = [posted(client, kind="out_of_stock")["id"] for _ in range(3)]
    first = client.get(f"{RULES}?limit=2").get_json()
    rest = client.get(first["next"]).get_json()

    assert [each["id"] for each in first["items"] + rest["items"]] == ids


def test_a_deleted_product_takes_its_rules_along(client: FlaskClient, product: Json) -> None:
    rule = posted(client, kind="out_of_stock", product_id=product["id"])
    client.delete(f"/api/v1/products/{product['id']}")

    problem(client.get(f"{RULES}/{rule['id']}"), 404)
