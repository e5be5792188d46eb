"""The pages of channels and deliveries, for administrators."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from productator.domain import utc_now
from productator.models import Channel, Delivery
from tests import factories
from tests.web.alerts import DELIVERIES, Sessions, deliveries, disabled_channel, stored_channel
from tests.web.browser import send_form, sign_in
from tests.web.pages import get, texts

Json = dict[str, Any]
Guarded = Callable[..., FlaskClient]
PAGE, NEW = "/alerts/channels", "/alerts/channels/new"
OPS: Json = {
    "name": "Ops",
    "kind": "webhook",
    "address": "https://93.184.216.34/hook",
    "messages_an_hour": "20",
}
QUIET: Json = {"begin": "22:00", "end": "07:00", "time_zone": "Europe/Prague"}


def channels(client: FlaskClient) -> list[Json]:
    found: list[Json] = client.get("/api/v1/channels").get_json()["items"]
    return found


def test_the_secret_of_a_new_webhook_is_shown_once(client: FlaskClient) -> None:
    made = send_form(client, NEW, PAGE, **OPS)
    secret = re.search('value="(whsec_[^"]+)"', made.text)
    assert secret

    assert made.headers["Cache-Control"] == "no-store"
    for path in (PAGE, f"{PAGE}/{channels(client)[0]['id']}/edit"):
        assert "whsec_" not in get(client, path)
    assert "Ops" in get(client, PAGE)


def test_a_form_that_is_sent_again_makes_no_second_channel_and_shows_no_secret(client: FlaskClient) -> None:
    assert 'name="form_key"' in get(client, NEW)
    first, again = (send_form(client, NEW, PAGE, **OPS | {"form_key": "k"}) for _ in range(2))
    assert "whsec_" in first.text
    assert "Nothing was made again." in get(client, again.headers["Location"])
    assert len(channels(client)) == 1
    page = f"{PAGE}/{channels(client)[0]['id']}/edit"
    rotated, repeated = (
        send_form(client, page, page.replace("edit", "rotate-secret"), form_key="r") for _ in range(2)
    )

    assert "whsec_" in rotated.text
    assert "had made a new secret" in get(client, repeated.headers["Location"])


def test_a_form_that_is_sent_again_sends_no_second_test(client: FlaskClient, sessions: Sessions) -> None:
    test = f"{PAGE}/{stored_channel(sessions)}/test"
    assert 'name="form_key"' in get(client, PAGE)
    first, again = (send_form(client, PAGE, test, form_key="k") for _ in range(2))

    assert first.headers["Location"] == again.headers["Location"]
    assert len(deliveries(client)) == 1


def test_quiet_hours_a_limit_and_a_token_are_kept(client: FlaskClient) -> None:
    given = OPS | QUIET | {"kind": "ntfy", "secret": "tk_1", "messages_an_hour": ""}
    answer = send_form(client, NEW, PAGE, **given)
    (channel,) = channels(client)

    assert answer.headers["Location"] == f"{PAGE}?done=made"
    assert channel["quiet_hours"] == QUIET
    assert (channel["messages_an_hour"], channel["has_secret"]) == (None, True)
    assert "quiet from 22:00 to 07:00, Europe/Prague" in get(client, PAGE)
    assert "tk_1" not in get(client, f"{PAGE}/{channel['id']}/edit")


def test_mail_addresses_may_have_spaces_between_them(client: FlaskClient) -> None:
    send_form(client, NEW, PAGE, **OPS | {"kind": "email", "address": " ann@example.com, bob@example.com "})

    assert channels(client)[0]["address"] == "ann@example.com,bob@example.com"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "Fill in this field."),
        ({"address": "http://127.0.0.1/hook"}, "127.0.0.1 is not a public address"),
        ({"address": "ftp://ops.example"}, "Must be an http or https address"),
        ({"kind": "email", "address": "nobody"}, "Must be mail addresses"),
        ({"kind": "pigeon"}, "Choose one of the list."),
        ({"secret": "mine"}, "Only ntfy and Gotify take a token."),
        ({"messages_an_hour": "0"}, "Must be 1 or more."),
        ({"begin": "22:00"}, "Enter a time such as 07:00."),
        ({**QUIET, "time_zone": "Europe/Nowhere"}, "Must be a time zone such as Europe/Prague"),
    ],
)
def test_what_is_wrong_with_a_channel_is_said_and_nothing_typed_is_lost(
    client: FlaskClient, fields: Json, said: str
) -> None:
    answer = send_form(client, NEW, PAGE, **{**OPS, "address": "https://93.184.216.34/<hook>", **fields})

    assert answer.status_code == 422
    assert said in answer.text
    assert channels(client) == []
    assert "/&lt;hook&gt;" in answer.text or "address" in fields


def test_all_that_is_wrong_with_a_channel_is_told_at_once(client: FlaskClient) -> None:
    answer = send_form(client, NEW, PAGE, **OPS | {"address": "ftp://x", "messages_an_hour": "0"})

    assert "Must be 1 or more." in answer.text
    assert "Must be an http or https address" in answer.text


def test_two_people_editing_a_channel_lose_nothing(client: FlaskClient) -> None:
    send_form(client, NEW, PAGE, **OPS)
    page = f"{PAGE}/{channels(client)[0]['id']}/edit"
    send_form(client, page, page, **OPS | QUIET | {"version": "1"})
    answer = send_form(client, page, page, **OPS | {"name": "Mine", "version": "1"})

    assert answer.status_code == 409
    assert 'name="name" type="text" value="Mine"' in answer.text
    assert "22:00 to 07:00, Europe/Prague" in answer.text
    again = send_form(client, page, page, **OPS | {"name": "Mine", "version": "2"})
    assert again.status_code == 303
    assert (channels(client)[0]["name"], channels(client)[0]["quiet_hours"]) == ("Mine", None)


def test_a_token_that_is_left_empty_stays(client: FlaskClient, sessions: Sessions) -> None:
    channel_id = stored_channel(sessions, kind="gotify", secret="token", address=OPS["address"])
    page = f"{PAGE}/{channel_id}/edit"

    def stored() -> str | None:
        with sessions() as session:
            return session.get_one(Channel, channel_id).secret

    send_form(client, page, page, **OPS | {"name": "Phone", "version": "1", "secret": ""})
    assert stored() == "token"
    send_form(client, page, page, **OPS | {"version": "2", "secret": "other"})
    assert stored() != "token"


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(client: FlaskClient) -> None:
    first = re.findall('whsec_[^"]+', send_form(client, NEW, PAGE, **OPS).text)
    page = f"{PAGE}/{channels(client)[0]['id']}/edit"
    rotated = send_form(client, page, page.replace("edit", "rotate-secret"))
    second = re.findall('whsec_[^"]+', rotated.text)

    assert first != second
    assert len(second) == 1
    assert rotated.headers["Cache-Control"] == "no-store"
    assert "the old secret signs, too, until" in get(client, PAGE)


def test_a_test_is_a_delivery_whose_fate_is_shown(client: FlaskClient, sessions: Sessions) -> None:
    channel_id = stored_channel(sessions)
    answer = send_form(client, PAGE, f"{PAGE}/{channel_id}/test")
    (delivery,) = deliveries(client)
    shown = get(client, answer.headers["Location"])

    assert (delivery["type"], delivery["status"]) == ("test", "pending")
    assert "A test to <bdi>Ops</bdi> is under way." in shown
    assert "data-soon" in shown


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ({"status": "delivered", "delivered_at": utc_now()}, "The test arrived at Ops"),
        (
            {"status": "failed", "last_error": "timeout"},
            "The test did not arrive at Ops: timeout.",
        ),
        ({"attempts": 1, "last_error": "refused"}, "did not arrive yet: refused. It is tried again."),
    ],
)
def test_the_page_says_what_became_of_a_test(
    client: FlaskClient, sessions: Sessions, fate: Json, said: str
) -> None:
    send_form(client, PAGE, f"{PAGE}/{stored_channel(sessions)}/test")
    (delivery,) = deliveries(client)
    with sessions.begin() as session:
        row = session.get_one(Delivery, delivery["id"])
        for name, value in fate.items():
            setattr(row, name, value)
    html = get(client, f"{PAGE}?tested={delivery['id']}")

    assert said in " ".join(texts(html, "main p"))
    assert "data-soon" not in html


def test_a_disabled_channel_says_why_and_how_to_enable_it(client: FlaskClient, sessions: Sessions) -> None:
    disabled_channel(sessions)
    stored_channel(sessions, name="Shop", failing_since=utc_now() - timedelta(hours=3))
    stored_channel(sessions, name="Works", last_success_at=utc_now())
    rows = texts(get(client, PAGE), "tbody tr")

    assert "disabled 4 min ago: Every try has failed for five days." in rows[0].replace("\xa0", " ")
    assert re.search("failing since [0-9-]+ [0-9:]+ UTC", rows[1])
    assert "works" in rows[2]


@pytest.mark.parametrize("kind", ["slack", "discord", "mattermost", "apprise"])
def test_addresses_that_are_secrets_are_shortened(client: FlaskClient, sessions: Sessions, kind: str) -> None:
    stored_channel(sessions, kind=kind, address="https://hooks.example/T0/B0/secret")

    assert "https://hooks.example/…" in get(client, PAGE)
    assert "/T0/B0/secret" not in get(client, PAGE)


def test_no_cache_keeps_a_form_with_the_address_of_a_channel(client: FlaskClient, sessions: Sessions) -> None:
    page = f"{PAGE}/{stored_channel(sessions, kind='slack')}/edit"
    answers = [client.get(page), send_form(client, page, page, **OPS | {"version": "1", "name": ""})]

    assert [answer.status_code for answer in answers] == [200, 422]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_deleting_a_channel_asks_first(client: FlaskClient, sessions: Sessions) -> None:
    page = f"{PAGE}/{stored_channel(sessions)}/delete"
    assert "Delete the channel “<bdi>Ops</bdi>”?" in get(client, page)
    assert channels(client)
    send_form(client, page, page)

    assert channels(client) == []


@pytest.mark.parametrize("path", [PAGE, NEW, DELIVERIES])
def test_writers_may_not_see_channels_and_deliveries(guarded: Guarded, sessions: Sessions, path: str) -> None:
    writer = guarded("write")
    sign_in(writer, factories.token(sessions, "write")[1])
    answer = guarded("write").get(path)

    get(writer, path, status=403)
    assert send_form(writer, "/", f"{PAGE}/1/test").status_code == 403
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?next={path}")


@pytest.mark.parametrize("action", ["test", "edit", "delete", "rotate-secret"])
def test_another_site_can_change_no_channel(client: FlaskClient, sessions: Sessions, action: str) -> None:
    path = f"{PAGE}/{stored_channel(sessions)}/{action}"
    before = channels(client)
    answer = send_form(client, NEW, path, headers={"Sec-Fetch-Site": "cross-site"}, **OPS)

    assert answer.status_code == 403
    assert (channels(client), deliveries(client)) == (before, [])
