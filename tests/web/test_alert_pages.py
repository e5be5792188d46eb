"""The pages of alert rules and events: what they show, and what their forms do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from productator.domain import time_json, utc_now
from productator.models import ChangedProduct, Delivery
from tests.web.alerts import (
    Sessions,
    disabled_channel,
    form_of,
    posted_rule,
    stored_channel,
    stored_delivery,
    stored_rules,
)
from tests.web.browser import send_form
from tests.web.pages import get, texts

Json = dict[str, Any]
Guarded = Callable[..., FlaskClient]


def test_a_rule_is_shown_as_a_sentence_with_its_truth(
    client: FlaskClient, offer: Json, sessions: Sessions
) -> None:
    channel = stored_channel(sessions)
    posted_rule(client, kind="threshold", product_id=offer["product_id"], price=99, channel_ids=[channel])
    posted_rule(client, kind="threshold", product_id=offer["product_id"], price=100)
    newest, oldest = texts(get(client, "/alerts"), "section li")

    assert "Tell Ops when Espresso machine is at or below 99." in oldest
    assert "Now 100" in oldest
    assert "true now" not in oldest
    assert "Now 100 true now" in newest
    assert "tells nobody" in newest


def test_prices_in_sentences_are_written_like_all_others(
    guarded: Guarded, client: FlaskClient, offer: Json
) -> None:
    posted_rule(client, kind="threshold", product_id=offer["product_id"], price=123_456)
    html = get(guarded("off", currency="CZK", price_decimals=2), "/alerts", {"Accept-Language": "de"})

    assert "is at or below 1.234,56\N{NO-BREAK SPACE}CZK." in html


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"kind": "threshold", "price": "1 299"}, {"price": 1299, "days": None, "percent": None}),
        ({"kind": "drop", "drop": "12,5"}, {"percent": 12.5, "price": None}),
        ({"kind": "rise", "rise": "200"}, {"percent": 200.0}),
        ({"kind": "new_low", "days": ""}, {"days": None}),
        ({"kind": "new_low", "days": "30"}, {"days": 30}),
        ({"kind": "service", "about": "search", "q": "mill"}, {"q": None, "product_id": None}),
        ({"kind": "stale", "about": "search", "q": " mill "}, {"q": "mill"}),
        ({"kind": "failing", "cooldown_h": "0,5", "confirm_periods": "0", "rearm_percent": "3.5"},
         {"cooldown_s": 1800, "confirm_periods": 0, "rearm_percent": 3.5}),
    ],
)  # fmt: skip
def test_every_kind_of_rule_can_be_made(
    client: FlaskClient, sessions: Sessions, fields: Json, stored: Json
) -> None:
    channels = [stored_channel(sessions), stored_channel(sessions, name="Shop")]
    answer = send_form(
        client, "/alerts/new", "/alerts", **form_of(**fields) | {f"channel-{channels[1]}": "1"}
    )
    (rule,) = stored_rules(client)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts?done=rule")
    assert stored.items() <= rule.items()
    assert (rule["channel_ids"], rule["active"]) == ([channels[1]], True)


def test_a_form_that_is_sent_again_makes_no_second_rule(client: FlaskClient) -> None:
    assert 'name="form_key"' in get(client, "/alerts/new")
    fields = form_of() | {"form_key": "k"}
    _, again = (send_form(client, "/alerts/new", "/alerts", **fields) for _ in range(2))

    assert "Nothing was made again." in get(client, again.headers["Location"])
    assert len(stored_rules(client)) == 1


def test_a_rule_about_a_product_is_made_from_its_page_and_shown_there(
    client: FlaskClient, offer: Json, sessions: Sessions
) -> None:
    channel = stored_channel(sessions)
    product_id = offer["product_id"]
    product = f"/products/{product_id}"
    form = f"/alerts/new?product_id={product_id}"
    assert form in get(client, product)
    assert "(now 100)" in get(client, form)
    answer = send_form(
        client, form, "/alerts", **form_of(product_id, price="100") | {f"channel-{channel}": "1"}
    )
    html = get(client, product)

    assert answer.headers["Location"] == f"{product}?done=rule#alerts"
    assert "Tell Ops when Espresso machine is at or below 100." in html
    assert "Tell me now" in html


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "threshold", "price": "cheap"}, "Must be a whole number"),
        ({"kind": "threshold", "price": ""}, "Enter a number."),
        ({"kind": "drop", "drop": ""}, "Enter a number."),
        ({"kind": "drop", "drop": "101"}, "cannot fall by more than 100"),
        ({"kind": "rise", "rise": "0"}, "Must be more than 0."),
        ({"kind": "new_low", "days": "0"}, "Must be 1 or more."),
        ({"kind": "cheap"}, "Choose one of the list."),
        ({"kind": "stale", "cooldown_h": "-1"}, "Must be 0 or more."),
        ({"kind": "stale", "cooldown_h": "9000"}, "Must be 8784 hours or less"),
        ({"kind": "stale", "about": "nothing"}, "Choose which products"),
        ({"kind": "stale", "about": "product", "product_id": "x"}, "Choose which products"),
        ({"kind": "stale", "about": "search", "q": " "}, "Fill in this field."),
        ({"kind": "stale", "cooldown_h": "1e9"}, "Must be a number"),
        ({"kind": "stale", "confirm_periods": "1001"}, "Must be 1000 or less."),
        ({"kind": "stale", "rearm_percent": "101"}, "Must be 100 or less."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    client: FlaskClient, fields: Json, said: str
) -> None:
    given: Json = {"about": "search", "q": "<mill>"}
    sent = form_of(**given | fields)
    answer = send_form(client, "/alerts/new", "/alerts", **sent)

    assert answer.status_code == 422
    assert said in answer.text
    assert stored_rules(client) == []
    assert 'value="24"' in answer.text or fields.get("cooldown_h")
    assert "&lt;mill&gt;" in answer.text or fields.get("q")


def test_all_that_is_wrong_with_a_rule_is_told_at_once(client: FlaskClient) -> None:
    fields = form_of(price="", cooldown_h="-1", rearm_percent="900", confirm_periods="5000")
    answer = send_form(client, "/alerts/new", "/alerts", **fields)

    assert [name for name in fields if f'id="wrong-{name}"' in answer.text] == [
        "price",
        "cooldown_h",
        "confirm_periods",
        "rearm_percent",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"q": "grinder"}, "Choose “any product found by”, or empty this field."),
        ({"drop": "10"}, "Choose “falls by”, or empty this field."),
        ({"kind": "stale", "rise": "x"}, "Choose “rises by”, or empty this field."),
        ({"kind": "stale", "price": "90"}, "Choose “is at or below”, or empty this field."),
        ({"days": "30"}, "Choose “is cheaper than ever in the last”, or empty this field."),
    ],
)
def test_what_was_typed_beside_a_choice_that_was_not_made_is_not_dropped(
    client: FlaskClient, fields: Json, said: str
) -> None:
    answer = send_form(client, "/alerts/new", "/alerts", **form_of(**fields))

    assert answer.status_code == 422
    assert said in answer.text
    assert stored_rules(client) == []


def test_a_number_typed_into_the_form_of_a_rule_of_another_kind_is_not_dropped(client: FlaskClient) -> None:
    rule = posted_rule(client, kind="threshold", price=90, q="mill")
    page = f"/alerts/{rule['id']}/edit"
    fields = form_of(about="search", q="mill", version="1")
    refused = send_form(client, page, page, **fields | {"drop": "10"})
    assert refused.status_code == 422
    assert "Choose “falls by”, or empty this field." in refused.text

    # What the form was filled with says nothing about what is wanted.
    assert send_form(client, page, page, **fields | {"kind": "drop", "drop": "10"}).status_code == 303
    assert stored_rules(client)[0]["percent"] == 10


@pytest.mark.parametrize("product_id", ["", "x", "0", "9" * 30])
def test_a_rule_about_a_product_that_is_not_named_is_about_no_other(
    client: FlaskClient, offer: Json, product_id: str
) -> None:
    rule = posted_rule(client, kind="threshold", product_id=offer["product_id"], price=90)
    page = f"/alerts/{rule['id']}/edit"
    fields = form_of(product_id, version="1")
    answers = [send_form(client, "/alerts/new", "/alerts", **fields), send_form(client, page, page, **fields)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("Choose which products it is about." in answer.text for answer in answers)
    assert stored_rules(client) == [rule]


def test_the_form_stays_when_its_product_is_gone(client: FlaskClient) -> None:
    answer = send_form(client, "/alerts/new", "/alerts", **form_of(999, price="4711"))

    assert answer.status_code == 422
    assert 'name="price" value="4711"' in answer.text
    assert "There is no product 999." in answer.text
    get(client, "/alerts/new?product_id=999", status=404)


def test_a_rule_whose_products_were_not_chosen_is_not_about_all(client: FlaskClient) -> None:
    answer = send_form(client, "/alerts/new", "/alerts", **form_of(about=""))

    assert answer.status_code == 422
    assert "Choose which products it is about." in answer.text
    assert stored_rules(client) == []


def test_two_people_editing_a_rule_lose_nothing(client: FlaskClient) -> None:
    rule = posted_rule(client, kind="threshold", price=90)
    page = f"/alerts/{rule['id']}/edit"
    stale = form_of(price="70", version="1")
    send_form(client, page, page, **form_of(price="80", version="1"))
    answer = send_form(client, page, page, **stale)

    assert answer.status_code == 409
    assert "at or below 80" in answer.text
    assert 'name="price" value="70"' in answer.text
    assert 'name="version" value="2"' in answer.text
    assert stored_rules(client)[0]["price"] == 80


def test_a_form_that_is_saved_unchanged_changes_nothing(client: FlaskClient, offer: Json) -> None:
    rule = posted_rule(client, kind="new_low", product_id=offer["product_id"], days=None, cooldown_s=1_234)
    page = f"/alerts/{rule['id']}/edit"
    fields = form_of(offer["product_id"], kind="new_low", days="", cooldown_h="0.3428", version="1")
    assert 'value="0.3428"' in get(client, page)
    send_form(client, page, page, **fields)

    assert stored_rules(client) == [rule]


@pytest.mark.parametrize(
    "values",
    [
        *({"cooldown_s": each} for each in (0, 1, 60, 100, 300, 123_457, 366 * 86_400)),
        *({"rearm_percent": each} for each in (2.125, 0, 1 / 3, 99.999999999, 1e-9)),
        *({"kind": "drop", "percent": each} for each in (2.125, 12.3456789, 1e-9, 100)),
        {"kind": "rise", "percent": 2 / 3},
        {"kind": "threshold", "price": 123_457},
    ],
)
def test_whatever_a_rule_says_its_form_saves_it_unchanged(client: FlaskClient, values: Json) -> None:
    rule = posted_rule(client, **{"kind": "stale"} | values)
    page = f"/alerts/{rule['id']}/edit"
    html = get(client, page)
    shown = dict(re.findall('name="([a-z_]+)" value="([^"]*)"', html))
    fields = {name: value for name, value in shown.items() if name not in {"kind", "about", "form_token"}}
    answer = send_form(client, page, page, **fields | {"about": "all", "kind": rule["kind"]})

    assert answer.status_code == 303, texts(answer.text, "main p")
    assert stored_rules(client) == [rule]


def test_a_rule_is_muted_for_a_week_and_no_longer(client: FlaskClient) -> None:
    rule = posted_rule(client, kind="stale")
    action = f"/alerts/{rule['id']}/mute"
    send_form(client, "/alerts", action, mute="1")
    muted_until = stored_rules(client)[0]["muted_until"]
    assert f"{utc_now() + timedelta(days=7):%Y-%m-%d}" in muted_until
    assert "muted" in texts(get(client, "/alerts"), "section li")[0]
    send_form(client, "/alerts", action, mute="")

    assert stored_rules(client)[0]["muted_until"] is None


def test_a_week_does_not_shorten_a_longer_mute(client: FlaskClient) -> None:
    rule = posted_rule(client, kind="stale", muted_until="2100-01-01T00:00:00Z")
    send_form(client, "/alerts", f"/alerts/{rule['id']}/mute", mute="1")

    assert stored_rules(client)[0]["muted_until"] == "2100-01-01T00:00:00.000000Z"


def test_deleting_a_rule_asks_first(client: FlaskClient) -> None:
    rule = posted_rule(client, kind="stale")
    page = f"/alerts/{rule['id']}/delete"
    assert "Delete this rule?" in get(client, page)
    assert stored_rules(client)
    send_form(client, page, page)

    assert stored_rules(client) == []
    assert "No rules yet" in get(client, "/alerts")


def test_what_is_true_already_is_told_when_asked_for(
    client: FlaskClient, offer: Json, sessions: Sessions
) -> None:
    channel = stored_channel(sessions)
    product_id = offer["product_id"]
    rule = posted_rule(client, kind="threshold", product_id=product_id, price=100, channel_ids=[channel])
    came: Json = {"from": "product"}
    answer = send_form(client, "/alerts", f"/alerts/{rule['id']}/tell", **came)
    (delivery,) = client.get("/api/v1/deliveries").get_json()["items"]

    assert answer.headers["Location"] == f"/products/{product_id}?done=told#alerts"
    assert (delivery["rule_id"], delivery["channel_id"]) == (rule["id"], channel)
    assert texts(get(client, "/alerts/events"), "tbody td")[:3] == [
        "Price reached",
        "Espresso machine",
        "100",
    ]


def test_a_form_that_is_sent_again_tells_nothing_twice(
    client: FlaskClient, offer: Json, sessions: Sessions
) -> None:
    channel = stored_channel(sessions)
    rule = posted_rule(
        client, kind="threshold", product_id=offer["product_id"], price=100, channel_ids=[channel]
    )
    for _ in range(2):
        send_form(client, "/alerts", f"/alerts/{rule['id']}/tell", form_key="k")

    assert len(client.get("/api/v1/deliveries").get_json()["items"]) == 1


def test_what_is_not_true_is_not_told(client: FlaskClient, offer: Json, sessions: Sessions) -> None:
    channel = stored_channel(sessions)
    rule = posted_rule(
        client, kind="threshold", product_id=offer["product_id"], price=99, channel_ids=[channel]
    )
    assert "Tell me now" not in get(client, "/alerts")
    answer = send_form(client, "/alerts", f"/alerts/{rule['id']}/tell")

    assert answer.headers["Location"] == "/alerts?done=not-told"
    assert client.get("/api/v1/events").get_json()["items"] == []


def test_a_rule_that_is_switched_off_tells_nothing(
    client: FlaskClient, offer: Json, sessions: Sessions
) -> None:
    about: Json = {"product_id": offer["product_id"], "channel_ids": [stored_channel(sessions)]}
    rule = posted_rule(client, kind="threshold", price=100, active=False, **about)
    answer = send_form(client, "/alerts", f"/alerts/{rule['id']}/tell")

    assert "the rule is switched off" in get(client, answer.headers["Location"])
    assert client.get("/api/v1/events").get_json()["items"] == []


def test_rules_and_events_follow_each_other_in_pages(client: FlaskClient, sessions: Sessions) -> None:
    channel = stored_channel(sessions)
    for number in range(52):
        posted_rule(client, kind="stale", q=f"cup {number}")
        stored_delivery(sessions, channel, name=f"Cup {number}")
    for path, item in (("/alerts", "section li"), ("/alerts/events?type=price.threshold", "tbody tr")):
        first = get(client, path)
        following = first.partition('" rel="next"')[0].rpartition('href="')[2].replace("&amp;", "&")
        last = texts(get(client, following), item)

        assert len(texts(first, item)) == 50
        assert [f"up {number}" in last[1 - number] for number in (1, 0)] == [True, True]


def test_events_are_filtered_by_their_type(client: FlaskClient, sessions: Sessions) -> None:
    stored_delivery(sessions, stored_channel(sessions))

    assert "Hand mill" in get(client, "/alerts/events?type=price.threshold")
    assert "No such events" in get(client, "/alerts/events?type=stock.out")
    assert "Hand mill" in get(client, "/alerts/events?type=nonsense")


LATE = "the notifier does not run, or does not get on"


def test_a_notifier_that_does_not_run_is_told_of(client: FlaskClient, sessions: Sessions) -> None:
    stored_delivery(sessions, stored_channel(sessions))
    assert LATE not in get(client, "/alerts"), "it has had no time yet"
    with sessions.begin() as session:
        session.execute(update(Delivery).values(next_try_at=utc_now() - timedelta(minutes=3)))

    assert LATE in get(client, "/alerts")


def test_a_change_that_nobody_has_looked_at_is_told_of(client: FlaskClient, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(ChangedProduct(product_id=1, noted_at=utc_now() - timedelta(minutes=3)))

    assert LATE in get(client, "/alerts")


def test_deliveries_of_a_disabled_channel_wait_for_its_test_and_not_for_a_notifier(
    client: FlaskClient, sessions: Sessions
) -> None:
    stored_delivery(sessions, disabled_channel(sessions))
    with sessions.begin() as session:
        session.execute(update(Delivery).values(next_try_at=utc_now() - timedelta(minutes=3)))

    assert LATE not in get(client, "/alerts")


def test_the_system_says_what_waits_for_the_notifier(client: FlaskClient, sessions: Sessions) -> None:
    assert "nothing waits for it" in get(client, "/system")
    noted_at = utc_now() - timedelta(minutes=3)
    with sessions.begin() as session:
        session.add(ChangedProduct(product_id=1, noted_at=noted_at))
    disabled_channel(sessions)

    shown, alerts = get(client, "/system"), client.get("/api/v1/system").get_json()["alerts"]

    assert "nothing waits for it" not in shown
    assert "the oldest change or delivery has waited since" in shown
    assert "nothing is sent to them" in shown
    assert alerts == {"waiting_since": time_json(noted_at), "disabled_channels": 1}


def test_a_delivery_whose_next_try_is_to_come_does_not_wait(client: FlaskClient, sessions: Sessions) -> None:
    stored_delivery(sessions, stored_channel(sessions))
    with sessions.begin() as session:
        session.execute(update(Delivery).values(next_try_at=utc_now() + timedelta(hours=2)))

    assert client.get("/api/v1/system").get_json()["alerts"]["waiting_since"] is None
