"""/api/v1/tokens: administrators list, create and revoke tokens."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from productator.models import IdempotencyKey
from tests import factories
from tests.api.checks import PRODUCTS, items, problem, wrong_fields
from tests.factories import bearer

Guarded = Callable[..., FlaskClient]
Sessions = sessionmaker[Session]
TOKENS = "/api/v1/tokens"
NEW = {"name": "shop front", "scopes": ["read", "write"], "expires_at": "2999-01-31T12:00:00Z"}


@pytest.fixture
def admin(sessions: Sessions) -> dict[str, str]:
    """The headers of an administrator."""
    return bearer(factories.token(sessions, "admin")[1])


def test_a_token_is_created_used_and_revoked(guarded: Guarded, admin: dict[str, str]) -> None:
    client = guarded("all")
    created = client.post(TOKENS, json=NEW, headers=admin)
    token = created.get_json()
    assert created.status_code == 201
    assert client.get(PRODUCTS, headers=bearer(token["secret"])).status_code == 200

    revoked = client.delete(created.headers["Location"], headers=admin)

    assert (revoked.status_code, revoked.data) == (204, b"")
    problem(client.get(PRODUCTS, headers=bearer(token["secret"])), 401)
    assert client.get(created.headers["Location"], headers=admin).get_json()["state"] == "revoked"
    assert client.delete(created.headers["Location"], headers=admin).status_code == 204


def test_a_token_is_shown_without_its_secret(client: FlaskClient) -> None:
    created = client.post(TOKENS, json=NEW).get_json()
    secret = created.pop("secret")
    listed = client.get(TOKENS)

    assert listed.get_json()["items"] == [created]
    assert secret not in listed.text
    assert (created["name"], created["scopes"]) == ("shop front", ["read", "write"])
    assert (created["state"], created["expires_at"]) == ("active", "2999-01-31T12:00:00.000000Z")
    assert secret.startswith(created["prefix"])
    assert created["last_used_at"] is created["revoked_at"] is None


def test_a_token_without_an_expiry_does_not_expire(client: FlaskClient) -> None:
    created = client.post(TOKENS, json={"name": "till", "scopes": ["read"]}).get_json()

    assert created["expires_at"] is None


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("admin", 200)])
@pytest.mark.parametrize("mode", ["write", "all"])
def test_only_administrators_see_tokens(
    guarded: Guarded, sessions: Sessions, mode: str, scope: str, status: int
) -> None:
    answer = guarded(mode).get(TOKENS, headers=bearer(factories.token(sessions, scope)[1]))

    assert answer.status_code == status
    assert status == 200 or 'scope="admin"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/1"), ("DELETE", "/1")])
def test_without_a_token_nobody_learns_or_changes_anything(guarded: Guarded, method: str, path: str) -> None:
    problem(guarded("write").open(TOKENS + path, method=method, json=NEW), 401)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\x1b[31m"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"id": 7}, "/id"),
    ],
)
def test_wrong_fields_are_named(client: FlaskClient, change: dict[str, Any], pointer: str) -> None:
    assert wrong_fields(client.post(TOKENS, json=NEW | change)) == {pointer}


@pytest.mark.parametrize("expires_at", [1800000000, "tomorrow", "2999-01-31 12:00"])
def test_a_wrong_time_in_a_body_gets_no_advice_about_addresses(client: FlaskClient, expires_at: Any) -> None:
    (wrong,) = problem(client.post(TOKENS, json=NEW | {"expires_at": expires_at}), 422)["errors"]

    assert wrong["detail"] == "Must be a time with a zone, such as 2026-11-23T12:00:00Z."


def test_a_token_that_nobody_created_is_not_found(client: FlaskClient) -> None:
    for method in ("GET", "DELETE"):
        answer = client.open(f"{TOKENS}/999", method=method)
        assert problem(answer, 404)["type"] == "/problems/token-not-found"


def test_tokens_come_in_pages_with_a_tag(client: FlaskClient) -> None:
    for number in range(5):
        client.post(TOKENS, json=NEW | {"name": f"till {number}"})
    answer = client.get(TOKENS)

    assert [each["name"] for each in items(client, f"{TOKENS}?limit=2")] == [f"till {n}" for n in range(5)]
    assert client.get(TOKENS, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_request_that_is_sent_again_creates_one_token_and_stores_no_secret(
    client: FlaskClient, sessions: Sessions
) -> None:
    first, again = (client.post(TOKENS, json=NEW, headers={"Idempotency-Key": "k"}) for _ in range(2))
    with sessions() as session:
        stored = " ".join(session.scalars(select(IdempotencyKey.body)))

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == first.get_json() | {"secret": None}
    assert first.get_json()["secret"]
    assert first.get_json()["secret"] not in stored
    assert len(items(client, TOKENS)) == 1
