"""Channels and their deliveries, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.access import api_tokens
from productator.domain import Scope
from tests import factories
from tests.api.checks import problem, wrong_fields

CHANNELS = "/api/v1/channels"
DELIVERIES = "/api/v1/deliveries"
BODY: dict[str, Any] = {"name": "Ops", "kind": "webhook", "address": "https://1.1.1.1/hook"}


@pytest.fixture
def channel(client: FlaskClient) -> dict[str, Any]:
    response = client.post(CHANNELS, json=BODY)
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.get_json()
    return body


def _url(channel: dict[str, Any]) -> str:
    return f"{CHANNELS}/{channel['id']}"


def test_a_webhooks_secret_is_shown_once(client: FlaskClient, channel: dict[str, Any]) -> None:
    read = client.get(_url(channel))

    assert channel["secret"].startswith("whsec_")
    assert "secret" not in read.get_json()
    assert channel["secret"] not in read.text
    assert read.get_json() == {name: value for name, value in channel.items() if name != "secret"}


def test_a_post_sent_again_makes_one_channel_and_hides_its_secret(client: FlaskClient) -> None:
    headers = {"Idempotency-Key": "once"}

    first = client.post(CHANNELS, json=BODY, headers=headers).get_json()
    again = client.post(CHANNELS, json=BODY, headers=headers).get_json()

    assert again == first | {"secret": None}
    assert len(client.get(CHANNELS).get_json()["items"]) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0177.0.0.1/",
        "http://localhost/",
        "http://LOCALHOST:8080/",
        "http://LOCALHOST./",
        "http://127.0.0.1./",
        "http://0x7f.1.:80/",
        "http://hooks.localhost/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.31.255.255/",
        "http://192.168.0.1:8080/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://192.88.99.1/",
        "http://224.0.0.1/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fec0::1]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://user@1.1.1.1/",
        "http://1.1.1.1@127.0.0.1/",
        "http://127.0.0.1#@1.1.1.1/",
        "http://127.0.0.1\\@1.1.1.1/",
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "gopher://1.1.1.1/",
        "https://1.1.1.1:0/",
        "https://",
        "hooks.example",
    ],
)
def test_an_address_that_is_not_public_cannot_be_saved(client: FlaskClient, address: str) -> None:
    assert wrong_fields(client.post(CHANNELS, json=BODY | {"address": address})) == {"/address"}


def test_the_refused_address_is_named(client: FlaskClient) -> None:
    response = client.post(CHANNELS, json=BODY | {"address": "http://0x7f.1/"})

    assert "127.0.0.1 is not a public address" in problem(response, 422)["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"kind": "pager"}, "/kind"),
        ({"name": " "}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"messages_an_hour": 0}, "/messages_an_hour"),
        ({"secret": "mine"}, "/secret"),
        ({"quiet_hours": {"begin": "22:00", "end": "24:00", "time_zone": "UTC"}}, "/quiet_hours/end"),
        (
            {"quiet_hours": {"begin": "22:00", "end": "07:00", "time_zone": "X/A"}},
            "/quiet_hours/time_zone",
        ),
        ({"quiet_hours": {"begin": "22:00", "end": "22:00", "time_zone": "UTC"}}, "/quiet_hours/end"),
        *(
            ({"quiet_hours": {"begin": "22:00", "end": "07:00", "time_zone": zone}}, "/quiet_hours/time_zone")
            # Their meaning depends on the machine, or not every machine has them.
            for zone in (
                "localtime",
                "posix/Europe/Prague",
                "right/Europe/Prague",
                "europe/prague",
                "Factory",
            )
        ),
        ({"kind": "email"}, "/address"),
        ({"kind": "email", "address": "a..b@example.com"}, "/address"),
        ({"kind": "email", "address": ".a@example.com"}, "/address"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_wrong_fields_are_named(client: FlaskClient, wrong: dict[str, Any], pointer: str) -> None:
    assert wrong_fields(client.post(CHANNELS, json=BODY | wrong)) == {pointer}


def test_a_change_needs_the_version_that_it_was_read_with(
    client: FlaskClient, channel: dict[str, Any]
) -> None:
    tag = client.get(_url(channel)).headers["ETag"]

    changed = client.patch(_url(channel), json={"name": "Night shift"}, headers={"If-Match": tag})
    stale = client.patch(_url(channel), json={"name": "Day shift"}, headers={"If-Match": tag})

    assert changed.get_json()["name"] == "Night shift"
    problem(stale, 412)


def test_quiet_hours_are_set_and_removed(client: FlaskClient, channel: dict[str, Any]) -> None:
    quiet = {"begin": "22:30", "end": "07:00", "time_zone": "Europe/Prague"}

    with_quiet = client.patch(_url(channel), json={"quiet_hours": quiet}).get_json()
    without = client.patch(_url(channel), json={"quiet_hours": None}).get_json()

    assert with_quiet["quiet_hours"] == quiet
    assert without["quiet_hours"] is None


def test_a_patch_of_quiet_hours_keeps_what_it_does_not_name(
    client: FlaskClient, channel: dict[str, Any]
) -> None:
    quiet = {"begin": "22:00", "end": "07:00", "time_zone": "Europe/Prague"}
    client.patch(_url(channel), json={"quiet_hours": quiet})

    changed = client.patch(_url(channel), json={"quiet_hours": {"begin": "21:00"}}).get_json()
    same = client.patch(_url(channel), json={"quiet_hours": {"end": "21:00"}})

    assert changed["quiet_hours"] == quiet | {"begin": "21:00"}
    assert wrong_fields(same) == {"/quiet_hours/end"}


def test_a_patch_cannot_make_quiet_hours_of_a_part(client: FlaskClient, channel: dict[str, Any]) -> None:
    patched = client.patch(_url(channel), json={"quiet_hours": {"begin": "21:00"}})

    assert wrong_fields(patched) == {"/quiet_hours/end", "/quiet_hours/time_zone"}


def test_a_whole_number_may_be_written_with_a_point(client: FlaskClient, channel: dict[str, Any]) -> None:
    changed = client.patch(_url(channel), json={"messages_an_hour": 5.0})

    assert changed.get_json()["messages_an_hour"] == 5
    assert wrong_fields(client.patch(_url(channel), json={"messages_an_hour": 5.5})) == {"/messages_an_hour"}


def test_put_replaces_and_keeps_kind_and_secret(client: FlaskClient, channel: dict[str, Any]) -> None:
    replaced = client.put(_url(channel), json=BODY | {"name": "New", "messages_an_hour": None})

    assert replaced.get_json()["name"] == "New"
    assert replaced.get_json()["messages_an_hour"] is None
    assert replaced.get_json()["has_secret"] is True
    other_kind = BODY | {"kind": "slack"}
    assert wrong_fields(client.put(_url(channel), json=other_kind)) == {"/kind"}


def test_a_deleted_channel_is_gone(client: FlaskClient, channel: dict[str, Any]) -> None:
    assert client.delete(_url(channel)).status_code == 204
    problem(client.get(_url(channel)), 404)
    problem(client.post(_url(channel) + "/test"), 404)


def test_a_test_is_a_delivery_that_is_due(client: FlaskClient, channel: dict[str, Any]) -> None:
    response = client.post(_url(channel) + "/test")

    assert response.status_code == 202
    delivery = client.get(response.headers["Location"]).get_json()
    assert delivery == response.get_json()
    assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("test", "pending", 0)


def test_a_new_secret_is_another_one(client: FlaskClient, channel: dict[str, Any]) -> None:
    rotated = client.post(_url(channel) + "/rotate-secret").get_json()

    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != channel["secret"]
    assert rotated["old_secret_until"] is not None


def test_what_signs_nothing_has_no_secret_to_rotate(client: FlaskClient) -> None:
    mail = BODY | {"kind": "email", "address": "ops@shop.example"}
    channel = client.post(CHANNELS, json=mail).get_json()

    problem(client.post(_url(channel) + "/rotate-secret"), 409)


def test_deliveries_are_filtered(client: FlaskClient, channel: dict[str, Any]) -> None:
    other = client.post(CHANNELS, json=BODY).get_json()
    mine = client.post(_url(channel) + "/test").get_json()
    client.post(_url(other) + "/test")

    found = client.get(f"{DELIVERIES}?channel_id={channel['id']}&status=pending").get_json()["items"]

    assert found == [mine]
    assert client.get(f"{DELIVERIES}?status=failed").get_json()["items"] == []
    assert client.get(f"{DELIVERIES}?rule_id=1").get_json()["items"] == []


def test_a_delivery_is_made_due_again(client: FlaskClient, channel: dict[str, Any]) -> None:
    delivery = client.post(_url(channel) + "/test").get_json()

    again = client.post(f"{DELIVERIES}/{delivery['id']}/redeliver")

    assert again.status_code == 202
    assert again.get_json()["message_id"] == delivery["message_id"]
    problem(client.post(f"{DELIVERIES}/999/redeliver"), 404)


@pytest.mark.parametrize("path", [CHANNELS, DELIVERIES])
@pytest.mark.parametrize(("scope", "status"), [(Scope.WRITE, 403), (Scope.ADMIN, 200)])
def test_only_admins_read_channels_and_deliveries(
    guarded: Callable[..., FlaskClient],
    sessions: sessionmaker[Session],
    path: str,
    scope: Scope,
    status: int,
) -> None:
    with sessions.begin() as session:
        _, secret = api_tokens.create(session, name="t", scopes=[scope], now=factories.NOW)
    client = guarded("write")

    assert client.get(path).status_code == 401
    assert client.get(path, headers={"Authorization": f"Bearer {secret}"}).status_code == status
