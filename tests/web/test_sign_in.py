"""Sign-in to the pages: sessions, their cookies, and what ends them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.access import api_tokens, sessions
from productator.domain import Rate, utc_now
from productator.models import ApiToken, SignInSession
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.web.browser import send_form, sign_in, signed_in

Guarded = Callable[..., FlaskClient]
Sessions = sessionmaker[Session]
ADMIN_TOKEN = "given-by-the-operator"


@pytest.fixture
def secret(sessions: Sessions) -> str:
    return factories.token(sessions, "write", name="till")[1]


def session_cookie(client: FlaskClient) -> str:
    found = client.get_cookie("productator-session")
    assert found
    return found.value


def stored(sessions: Sessions) -> SignInSession:
    with sessions() as session:
        return session.scalars(select(SignInSession)).one()


def set_session(sessions: Sessions, **values: object) -> None:
    with sessions.begin() as session:
        session.execute(update(SignInSession).values(**values))


def test_a_token_pasted_once_signs_in_and_leads_to_the_products(guarded: Guarded, secret: str) -> None:
    client = guarded("write")
    answer = sign_in(client, secret)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "till" in client.get("/").text
    assert signed_in(client)


def test_the_admin_token_of_the_settings_signs_in(guarded: Guarded) -> None:
    client = guarded("write", admin_token=ADMIN_TOKEN)
    sign_in(client, ADMIN_TOKEN)

    assert signed_in(client)


def test_another_admin_token_in_the_settings_ends_its_sessions(guarded: Guarded) -> None:
    client = guarded("write", admin_token=ADMIN_TOKEN)
    sign_in(client, ADMIN_TOKEN)
    later = guarded("write", admin_token="another-token-of-the-operator")
    later.set_cookie("productator-session", session_cookie(client))

    assert not signed_in(later)


def test_sessions_of_an_admin_token_end_where_none_is_set_any_more(guarded: Guarded) -> None:
    client = guarded("write", admin_token=ADMIN_TOKEN)
    sign_in(client, ADMIN_TOKEN)
    later = guarded("write")
    later.set_cookie("productator-session", session_cookie(client))

    assert not signed_in(later)


@pytest.mark.parametrize("wrong", ["", "pt_unknown", "x" * 501, "a.b.c", "žluťoučký"])
def test_a_wrong_token_signs_nobody_in(guarded: Guarded, wrong: str) -> None:
    client = guarded("write", admin_token=ADMIN_TOKEN)
    answer = sign_in(client, wrong)

    assert answer.status_code == 422
    assert "not valid" in answer.text
    assert client.get_cookie("productator-session") is None
    assert wrong == "" or wrong not in answer.text


def test_the_cookie_is_kept_from_scripts_and_other_sites(guarded: Guarded, secret: str) -> None:
    cookie = sign_in(guarded("write"), secret).headers["Set-Cookie"]

    assert cookie.startswith("productator-session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} <= set(cookie.split("; "))


def test_over_https_the_cookie_is_bound_to_the_host_and_to_https(guarded: Guarded, secret: str) -> None:
    client = guarded("write", public_url="https://shop.example/prices")
    answer = sign_in(client, secret, base_url="https://shop.example")

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-productator-session=")
    assert {"Secure", "Path=/", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Location"] == "/prices/"


def test_only_a_digest_of_the_id_is_stored(guarded: Guarded, sessions: Sessions, secret: str) -> None:
    client = guarded("write")
    sign_in(client, secret)

    row = stored(sessions)
    assert len(session_cookie(client)) == 43
    assert row.id_hash == api_tokens.digest(session_cookie(client))
    assert session_cookie(client) not in repr(vars(row))


def test_an_id_that_was_planted_before_the_sign_in_stays_worthless(guarded: Guarded, secret: str) -> None:
    client, attacker = guarded("write"), guarded("write")
    for each in (client, attacker):
        each.set_cookie("productator-session", "planted")
    sign_in(client, secret)

    assert session_cookie(client) != "planted"
    assert not signed_in(attacker)


def test_signing_in_again_ends_the_session_before(guarded: Guarded, sessions: Sessions, secret: str) -> None:
    client = guarded("write")
    sign_in(client, secret)
    first = stored(sessions).id_hash
    answer = send_form(client, "/products/new", "/login", token=secret)

    assert answer.status_code == 303
    assert stored(sessions).id_hash != first


def test_signing_out_ends_the_session_and_its_copies(guarded: Guarded, secret: str) -> None:
    client, copy = guarded("write"), guarded("write")
    sign_in(client, secret)
    copy.set_cookie("productator-session", session_cookie(client))
    assert signed_in(copy)

    answer = send_form(client, "/", "/logout")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert client.get_cookie("productator-session") is None
    assert not signed_in(copy)


def test_revoking_the_token_ends_its_sessions(guarded: Guarded, sessions: Sessions) -> None:
    token_id, secret = factories.token(sessions, "write")
    client = guarded("write")
    sign_in(client, secret)
    with sessions.begin() as session:
        api_tokens.revoke(session, token_id, now=utc_now())

    assert not signed_in(client)


def test_a_session_ends_with_its_token(guarded: Guarded, sessions: Sessions) -> None:
    token_id, secret = factories.token(sessions, "write")
    client = guarded("write")
    sign_in(client, secret)
    with sessions.begin() as session:
        session.get_one(ApiToken, token_id).expires_at = utc_now() - timedelta(seconds=1)

    assert not signed_in(client)


@pytest.mark.parametrize(
    ("ages", "is_open"),
    [
        ({"last_seen_at": sessions.IDLE_FOR - timedelta(minutes=2)}, True),
        ({"last_seen_at": sessions.IDLE_FOR}, False),
        ({"created_at": sessions.VALID_FOR - timedelta(minutes=2)}, True),
        ({"created_at": sessions.VALID_FOR}, False),
    ],
)
def test_a_session_ends_after_12_hours_without_use_and_after_7_days(
    guarded: Guarded, sessions: Sessions, secret: str, ages: dict[str, timedelta], is_open: bool
) -> None:
    client = guarded("write")
    sign_in(client, secret)
    set_session(sessions, **{column: utc_now() - age for column, age in ages.items()})

    assert signed_in(client) == is_open


def test_use_keeps_a_session_open_and_is_noted_of_the_token_too(
    guarded: Guarded, sessions: Sessions, secret: str
) -> None:
    client = guarded("write")
    sign_in(client, secret)
    an_hour_ago = utc_now() - timedelta(hours=1)
    set_session(sessions, last_seen_at=an_hour_ago)
    with sessions.begin() as session:
        session.execute(update(ApiToken).values(last_used_at=an_hour_ago))
    client.get("/").close()

    assert utc_now() - stored(sessions).last_seen_at < timedelta(minutes=1)
    with sessions() as session:
        used = session.scalars(select(ApiToken.last_used_at)).one()
    assert used
    assert utc_now() - used < timedelta(minutes=1)


def test_expired_sessions_are_deleted_at_the_next_sign_in(
    guarded: Guarded, sessions: Sessions, secret: str
) -> None:
    client = guarded("write")
    sign_in(client, secret)
    set_session(sessions, created_at=utc_now() - timedelta(days=8))
    sign_in(guarded("write"), secret)

    assert stored(sessions).created_at > utc_now() - timedelta(days=1)


def test_the_api_never_takes_the_cookie(guarded: Guarded, sessions: Sessions) -> None:
    client = guarded("all", admin_token=ADMIN_TOKEN)
    sign_in(client, ADMIN_TOKEN)
    assert signed_in(client)

    problem(client.get(PRODUCTS), 401)
    problem(client.post(PRODUCTS, json={"name": "Kettle"}), 401)


def test_pages_never_take_a_bearer_token(guarded: Guarded, secret: str) -> None:
    answer = guarded("all").get("/", headers=factories.bearer(secret))

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/")


def test_where_everything_needs_a_token_pages_lead_to_the_sign_in_and_back(
    guarded: Guarded, secret: str
) -> None:
    client = guarded("all")
    asked = client.get("/?q=mill")
    answer = send_form(client, asked.headers["Location"], "/login", token=secret, next="/?q=mill")

    assert asked.status_code == 303
    assert answer.headers["Location"] == "/?q=mill"


@pytest.mark.parametrize(("mode", "page"), [("write", "/products/new"), ("all", "/alerts/new?product_id=7")])
def test_a_form_that_arrives_after_the_session_ended_is_told_to_be_lost_and_leads_back(
    guarded: Guarded, secret: str, mode: str, page: str
) -> None:
    client = guarded(mode)
    sent = client.post("/products", data={"name": "Mill"}, headers={"Referer": f"http://localhost{page}"})
    address = sent.headers["Location"]
    asked, wrong = client.get(address), send_form(client, address, "/login", next=page, unsaved="1")
    answer = send_form(client, address, "/login", token=secret, next=page, unsaved="1")

    assert sent.status_code == 303
    assert ["nothing of what you sent was saved" in shown.text for shown in (asked, wrong)] == [True, True]
    assert f'name="next" value="{page}"' in asked.text
    assert answer.headers["Location"] == page


@pytest.mark.parametrize("page", ["http://evil.example/", "http://localhost.evil.example/", ""])
def test_a_form_of_an_unknown_page_leads_to_the_sign_in_alone(guarded: Guarded, page: str) -> None:
    sent = guarded("write").post("/products", data={"name": "Mill"}, headers={"Referer": page})

    assert sent.headers["Location"] == "/login?unsaved=1"


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "evil", ""]
)
def test_the_sign_in_leads_to_no_other_host(guarded: Guarded, secret: str, target: str) -> None:
    answer = sign_in(guarded("write"), secret, next=target)

    assert answer.headers["Location"] == "/"


def test_guesses_are_limited_as_wrong_tokens_are(guarded: Guarded, secret: str) -> None:
    client = guarded("write", rate_limit=Rate(30, 60))
    guesses = [sign_in(client, "pt_wrong").status_code for _ in range(3)]
    for _ in range(27):
        client.get(PRODUCTS, headers=factories.bearer("pt_wrong"))
    answer = sign_in(client, secret)

    assert guesses == [422] * 3
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert not signed_in(client)


def test_wrong_tokens_at_the_sign_in_count_against_the_api_too(guarded: Guarded) -> None:
    client = guarded("write", rate_limit=Rate(20, 60))
    for _ in range(5):
        sign_in(client, "pt_wrong")
    answer = client.get(PRODUCTS, headers=factories.bearer("pt_wrong"))

    assert "r=14;" in answer.headers["RateLimit"]


def test_where_access_control_is_off_the_sign_in_leads_on(guarded: Guarded) -> None:
    answer = guarded("off").get("/login")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
