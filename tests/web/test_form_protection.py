"""Forms are accepted from our own pages alone."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from tests import factories
from tests.web.browser import SAME_ORIGIN, form_token, send_form, sign_in

Guarded = Callable[..., FlaskClient]
NAME = {"name": "Kettle"}


@pytest.fixture
def writer(guarded: Guarded, sessions: sessionmaker[Session]) -> FlaskClient:
    """A browser of somebody who may write."""
    client = guarded("write")
    sign_in(client, factories.token(sessions, "write")[1])
    return client


def created(client: FlaskClient, headers: dict[str, str]) -> bool:
    answer = send_form(client, "/products/new", "/products", headers=headers, **NAME)
    assert answer.status_code in {303, 403}
    return answer.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Origin": "http://localhost"},
    ],
)
def test_a_form_of_our_own_page_is_accepted(writer: FlaskClient, headers: dict[str, str]) -> None:
    assert created(writer, headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:8080"},
        {"Origin": "http://localhost.evil.example"},
    ],
)
def test_a_form_of_another_site_is_refused(writer: FlaskClient, headers: dict[str, str]) -> None:
    assert not created(writer, headers)


@pytest.mark.parametrize("token", ["", "0" * 64, "ž", None])
def test_a_form_needs_its_token(writer: FlaskClient, token: str | None) -> None:
    fields = NAME if token is None else NAME | {"form_token": token}

    assert writer.post("/products", data=fields, headers=SAME_ORIGIN).status_code == 403


def test_the_token_of_another_viewers_form_is_refused(writer: FlaskClient, guarded: Guarded) -> None:
    other = form_token(guarded("write").get("/login"))
    fields = NAME | {"form_token": other}

    assert writer.post("/products", data=fields, headers=SAME_ORIGIN).status_code == 403


def test_a_form_from_before_the_sign_in_is_refused_after_it(
    guarded: Guarded, sessions: sessionmaker[Session]
) -> None:
    client = guarded("write")
    before = form_token(client.get("/login"))
    sign_in(client, factories.token(sessions, "write")[1])
    fields = NAME | {"form_token": before}

    assert client.post("/products", data=fields, headers=SAME_ORIGIN).status_code == 403


def test_every_form_needs_its_token(guarded: Guarded) -> None:
    client = guarded("off")
    paths = {
        re.sub("<[^>]*>", "1", rule.rule)
        for rule in client.application.url_map.iter_rules()
        # Mail programs send the form of a link that mutes a rule, which is signed instead.
        if "POST" in (rule.methods or ()) and not rule.rule.startswith(("/api/", "/alerts/mute/"))
    }
    answers = {path: client.post(path, headers=SAME_ORIGIN).status_code for path in sorted(paths)}

    assert "/feeds/revoke" in answers
    assert {path for path, status in answers.items() if status != 403} == set()


@pytest.mark.parametrize("path", ["/login", "/logout"])
def test_nobody_else_can_sign_somebody_in_or_out(writer: FlaskClient, path: str) -> None:
    answer = writer.post(path, data={"token": "pt_of_the_attacker"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403


def test_behind_a_proxy_with_a_prefix_the_origin_is_the_one_that_browsers_see(
    guarded: Guarded, sessions: sessionmaker[Session]
) -> None:
    client = guarded("write", trusted_proxies=1)
    way = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/prices", "X-Forwarded-For": "192.0.2.7"}
    page = client.get("/login", base_url="https://shop.example", headers=way)
    fields = {"form_token": form_token(page), "token": factories.token(sessions, "write")[1]}
    sent = {
        origin: client.post(
            "/login", data=fields, base_url="https://shop.example", headers=way | {"Origin": origin}
        ).status_code
        for origin in ("http://shop.example", "https://shop.example")
    }

    assert sent == {"http://shop.example": 403, "https://shop.example": 303}


@pytest.mark.parametrize("host", ["shop.example", "Shop.example"])
def test_with_a_public_address_the_origin_is_its_one(
    guarded: Guarded, sessions: sessionmaker[Session], host: str
) -> None:
    client = guarded("write", public_url=f"http://{host}:8080/prices")
    address = "http://shop.example:8080/prices"
    page = client.get("/login", base_url=address)
    # The proxy takes the prefix away, and the cookie arrives all the same.
    seed = client.get_cookie("productator-form", domain="shop.example", path="/prices")
    assert seed
    client.set_cookie("productator-form", seed.value)
    fields = {"form_token": form_token(page), "token": factories.token(sessions, "write")[1]}
    sent = {
        origin: client.post("/login", data=fields, headers={"Origin": origin}).status_code
        for origin in ("http://localhost", "http://shop.example:8080")
    }

    assert sent == {"http://localhost": 403, "http://shop.example:8080": 303}


def test_without_access_control_forms_are_protected_all_the_same(guarded: Guarded) -> None:
    client = guarded("off")

    assert created(client, SAME_ORIGIN)
    assert not created(client, {"Sec-Fetch-Site": "cross-site"})
    assert client.post("/products", data=NAME, headers=SAME_ORIGIN).status_code == 403
