"""The page of tokens."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from tests import factories
from tests.api.checks import PRODUCTS
from tests.web.browser import send_form, sign_in, signed_in

Guarded = Callable[..., FlaskClient]
Sessions = sessionmaker[Session]
TILL: dict[str, Any] = {"name": "till", "scope": "write", "expires": "30"}


@pytest.fixture
def admin(guarded: Guarded, sessions: Sessions) -> FlaskClient:
    """An administrator's browser."""
    client = guarded("write")
    sign_in(client, factories.token(sessions, "admin", name="boss")[1])
    return client


def test_a_new_token_is_shown_once_and_works(admin: FlaskClient) -> None:
    created = send_form(admin, "/tokens", "/tokens", **TILL)
    secret = re.search(r'value="(pt_[^"]+)"', created.text)
    assert secret

    assert created.headers["Cache-Control"] == "no-store"
    assert secret[1] not in admin.get("/tokens").text
    assert "till" in admin.get("/tokens").text
    answer = admin.post(PRODUCTS, json={"name": "Kettle"}, headers=factories.bearer(secret[1]))
    assert answer.status_code == 201


def test_a_form_that_is_sent_again_creates_no_second_token_and_shows_no_secret(admin: FlaskClient) -> None:
    first, again = (send_form(admin, "/tokens", "/tokens", form_key="k", **TILL) for _ in range(2))
    shown = admin.get(again.headers["Location"]).text

    assert 'name="form_key"' in shown
    assert "pt_" in first.text
    assert "Nothing was created again." in shown
    assert shown.count('<td class="name"><bdi>till</bdi>') == 1


def test_revoking_asks_first_and_ends_the_sessions_of_the_token(
    admin: FlaskClient, guarded: Guarded, sessions: Sessions
) -> None:
    token_id, secret = factories.token(sessions, "write", name="till")
    other = guarded("write")
    sign_in(other, secret)
    page = f"/tokens/{token_id}/revoke"
    asked = admin.get(page)
    assert "Revoke “<bdi>till</bdi>”?" in asked.text
    assert signed_in(other)

    answer = send_form(admin, page, page)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/tokens?done=revoked")
    assert not signed_in(other)
    assert "revoked" in admin.get("/tokens").text


def test_a_name_that_is_wrong_is_said_and_kept(admin: FlaskClient) -> None:
    answer = send_form(admin, "/tokens", "/tokens", **TILL | {"name": "<b>\x07"})

    assert answer.status_code == 422
    assert "Value error, must have printable" in answer.text or "ust have printable" in answer.text
    assert "&lt;b&gt;" in answer.text


@pytest.mark.parametrize("change", [{"scope": "root"}, {"expires": "9999999"}, {"scope": ""}])
def test_choices_that_the_page_does_not_offer_create_nothing(
    admin: FlaskClient, change: dict[str, str]
) -> None:
    answer = send_form(admin, "/tokens", "/tokens", **TILL | change)

    assert answer.status_code == 422
    assert "till" not in admin.get("/tokens").text


def test_a_writer_may_not_see_tokens(guarded: Guarded, sessions: Sessions) -> None:
    client = guarded("write")
    sign_in(client, factories.token(sessions, "write")[1])
    answer = client.get("/tokens", headers={"Accept": "text/html"})

    assert answer.status_code == 403
    assert 'href="/tokens"' not in client.get("/").text


def test_without_a_session_the_sign_in_leads_back_to_the_tokens(guarded: Guarded) -> None:
    answer = guarded("write").get("/tokens")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/tokens")


def test_another_site_can_create_no_token(admin: FlaskClient) -> None:
    answer = send_form(admin, "/tokens", "/tokens", headers={"Sec-Fetch-Site": "cross-site"}, **TILL)

    assert answer.status_code == 403
    assert "till" not in admin.get("/tokens").text


def test_a_parameter_that_nobody_knows_is_passed_over_as_on_every_page(admin: FlaskClient) -> None:
    assert admin.get("/tokens?utm_source=mail").status_code == 200
