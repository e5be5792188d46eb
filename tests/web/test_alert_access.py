"""Who may see and change alert rules, and what all pages say of channels."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.web.alerts import Sessions, disabled_channel, form_of, posted_rule, stored_channel, stored_rules
from tests.web.browser import send_form, sign_in
from tests.web.pages import get

Json = dict[str, Any]
Guarded = Callable[..., FlaskClient]


def test_readers_see_rules_but_may_change_none(
    client: FlaskClient, guarded: Guarded, sessions: Sessions
) -> None:
    rule = posted_rule(client, kind="stale")
    reader = guarded("write")
    sign_in(reader, factories.token(sessions, "read")[1])
    html = get(reader, "/alerts")

    assert "Tell nobody yet when any product" in html
    assert "Mute" not in html
    assert "Channels" not in html
    get(reader, "/alerts/new", status=403)
    get(reader, f"/alerts/{rule['id']}/edit", status=403)
    assert send_form(reader, "/", f"/alerts/{rule['id']}/delete").status_code == 403
    assert stored_rules(client)


def test_without_a_session_forms_lead_to_the_sign_in(guarded: Guarded) -> None:
    answer = guarded("write").get("/alerts/new")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/alerts/new")


@pytest.mark.parametrize("action", ["mute", "tell", "delete", "edit"])
def test_another_site_can_change_no_rule(client: FlaskClient, action: str) -> None:
    rule = posted_rule(client, kind="stale")
    path = f"/alerts/{rule['id']}/{action}"
    answer = send_form(client, "/alerts", path, headers={"Sec-Fetch-Site": "cross-site"}, **form_of(mute="1"))

    assert answer.status_code == 403
    assert stored_rules(client) == [rule]


def test_a_disabled_channel_is_told_of_on_all_pages_to_those_who_can_mend_it(
    client: FlaskClient, guarded: Guarded, sessions: Sessions, product: Json
) -> None:
    stored_channel(sessions, name="Shop")
    disabled_channel(sessions)
    for path in ("/", f"/products/{product['id']}", "/system", "/alerts"):
        assert "<strong>The channel <bdi>Ops</bdi></strong> is disabled" in get(client, path)
    assert "is disabled" not in get(guarded("write"), "/")


def test_the_navigation_says_where_a_page_belongs(client: FlaskClient, product: Json) -> None:
    assert '<a href="/alerts" aria-current="page">' in get(client, "/alerts")
    assert '<a href="/alerts" aria-current="true">' in get(client, "/alerts/channels/new")
    assert '<a href="/" aria-current="true">' in get(client, f"/products/{product['id']}")
