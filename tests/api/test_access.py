"""Access control: modes, scopes and routes, and the answers to callers without access."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from productator.api.conventions.page_routes import is_page
from productator.app import create_app
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.servers import dispose_of

# test_tokens.py tests the storage of tokens; these tests are about their effect.
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

Guarded = Callable[..., FlaskClient]
Sessions = sessionmaker[Session]

REALM = 'Bearer realm="productator"'
INVALID = f'{REALM}, error="invalid_token"'
ADMIN_TOKEN = "given-by-the-operator"
KETTLE = {"name": "Kettle"}
KNOWN = ("none", "unknown", "read", "write", "admin", "given")
# Mode and method: the answer to each of KNOWN.
ANSWERS = {
    ("off", "GET"): (200, 200, 200, 200, 200, 200),
    ("off", "POST"): (201, 201, 201, 201, 201, 201),
    ("write", "GET"): (200, 401, 200, 200, 200, 200),
    ("write", "HEAD"): (200, 401, 200, 200, 200, 200),
    ("write", "OPTIONS"): (200, 401, 200, 200, 200, 200),
    ("write", "POST"): (401, 401, 403, 201, 201, 201),
    ("all", "GET"): (401, 401, 200, 200, 200, 200),
    ("all", "HEAD"): (401, 401, 200, 200, 200, 200),
    ("all", "OPTIONS"): (200, 401, 200, 200, 200, 200),
    ("all", "POST"): (401, 401, 403, 201, 201, 201),
}
CASES = [
    (asked, who, status)
    for asked, statuses in ANSWERS.items()
    for who, status in zip(KNOWN, statuses, strict=True)
]


def headers_of(who: str, sessions: Sessions) -> dict[str, str]:
    """The headers of one of KNOWN."""
    sent = {"none": {}, "unknown": factories.bearer("pt_" + 43 * "x"), "given": factories.bearer(ADMIN_TOKEN)}
    return sent[who] if who in sent else factories.bearer(factories.token(sessions, who)[1])


@pytest.mark.parametrize(("asked", "who", "status"), CASES)
def test_each_mode_accepts_the_right_callers(
    guarded: Guarded, sessions: Sessions, asked: tuple[str, str], who: str, status: int
) -> None:
    mode, method = asked
    client = guarded(mode, admin_token=ADMIN_TOKEN)
    body = KETTLE if method == "POST" else None

    response = client.open(PRODUCTS, method=method, headers=headers_of(who, sessions), json=body)

    assert response.status_code == status


@pytest.fixture
def closed(database_url: str) -> Iterator[Flask]:
    """An application that requires a token wherever it can."""
    app = create_app(factories.settings(database_url=database_url, auth="all"))
    yield app
    dispose_of(app)


def calls(app: Flask, *, under: str) -> set[tuple[str, str]]:
    """Method and path of all routes, OPTIONS aside; every id is 1."""
    return {
        (method, path_of(app, rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"OPTIONS"}
        if rule.rule.startswith(under)
    }


def calls_of_pages(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, path_of(app, rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set())
        if is_page(app, rule)
    }


def path_of(app: Flask, rule: Rule) -> str:
    with app.test_request_context():
        built = rule.build(dict.fromkeys(rule.arguments, 1))
    assert built
    return built[1]


def test_no_route_of_the_api_is_left_open(closed: Flask) -> None:
    asked = calls(closed, under="/api/")
    statuses = {call: closed.test_client().open(call[1], method=call[0]).status_code for call in asked}

    assert len(asked) > 10
    assert statuses == dict.fromkeys(asked, 401)


def test_every_changing_route_of_the_api_asks_for_a_token(guarded: Guarded) -> None:
    client = guarded("write")
    asked = {call for call in calls(client.application, under="/api/") if call[0] not in {"GET", "HEAD"}}
    statuses = {call: client.open(call[1], method=call[0]).status_code for call in asked}

    assert len(asked) > 5
    assert statuses == dict.fromkeys(asked, 401)


@pytest.mark.parametrize(
    ("mode", "sent", "status"),
    [
        ("off", "x", 200),
        ("write", None, 200),
        ("write", "x", 401),
        ("all", None, 401),
        ("all", ADMIN_TOKEN, 200),
    ],
)
def test_metrics_need_a_token_where_reading_does(
    guarded: Guarded, mode: str, sent: str | None, status: int
) -> None:
    client = guarded(mode, admin_token=ADMIN_TOKEN)

    assert client.get("/metrics", headers=factories.bearer(sent) if sent else {}).status_code == status


def test_nothing_outside_of_api_and_pages_changes_anything_or_asks_for_a_token(closed: Flask) -> None:
    asked = (
        calls(closed, under="/")
        - calls(closed, under="/api/")
        - calls(closed, under="/metrics")
        # Its address is the secret.
        - calls(closed, under="/alerts/mute/")
        - calls_of_pages(closed)
    )

    assert {method for method, _ in asked} == {"GET", "HEAD"}
    for method, path in asked:
        assert (
            closed.test_client().open(path, method=method, headers=factories.bearer("x")).status_code != 401
        )


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer\ta",
        "Basic dXNlcjpwYXNz",
        "pt_x",
        "Bearer pt_x, Bearer pt_y",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_malformed_token_is_refused_like_a_wrong_one(guarded: Guarded, method: str, sent: str) -> None:
    response = guarded("write").open(PRODUCTS, method=method, headers={"Authorization": sent})

    problem(response, 401)
    assert response.headers["WWW-Authenticate"] == INVALID


def test_blanks_around_the_header_are_no_part_of_it(guarded: Guarded) -> None:
    client = guarded("write", admin_token=ADMIN_TOKEN)

    for sent in (f"Bearer {ADMIN_TOKEN} ", f"\tBearer {ADMIN_TOKEN}\t"):
        assert client.get(PRODUCTS, headers={"Authorization": sent}).status_code == 200


def test_the_scheme_may_be_written_in_any_case(guarded: Guarded) -> None:
    client = guarded("all", admin_token=ADMIN_TOKEN)

    assert client.get(PRODUCTS, headers={"Authorization": f"bEARER   {ADMIN_TOKEN}"}).status_code == 200


def test_a_challenge_without_a_token_names_no_error(guarded: Guarded) -> None:
    response = guarded("write").post(PRODUCTS, json=KETTLE)

    assert "needs a token" in problem(response, 401)["detail"]
    assert response.headers["WWW-Authenticate"] == REALM


def test_a_challenge_names_the_missing_scope(guarded: Guarded, sessions: Sessions) -> None:
    response = guarded("write").post(PRODUCTS, headers=headers_of("read", sessions))

    assert "scope write" in problem(response, 403)["detail"]
    assert response.headers["WWW-Authenticate"] == f'{REALM}, error="insufficient_scope", scope="write"'


@pytest.mark.parametrize("path", ["{id}", "{id}/offers?min_price=x"])
def test_nobody_without_a_token_learns_what_exists(
    guarded: Guarded, product: dict[str, Any], path: str
) -> None:
    client = guarded("all")

    known, unknown = (client.get(f"{PRODUCTS}/{path.format(id=each)}") for each in (product["id"], 999))

    assert (known.status_code, unknown.status_code) == (401, 401)
    assert problem(known, 401)["detail"] == problem(unknown, 401)["detail"]


@pytest.mark.parametrize(
    "request_",
    [
        {"data": "{", "content_type": "application/json"},
        {"data": "name=x", "content_type": "text/plain"},
        {"data": b" " * (2**20 + 1), "content_type": "application/json"},
    ],
    ids=["not JSON", "another media type", "too large"],
)
def test_no_body_is_read_without_a_token(guarded: Guarded, request_: dict[str, Any]) -> None:
    problem(guarded("write").post(PRODUCTS, **request_), 401)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/nothing", 404), ("GET", f"{PRODUCTS}/x", 404), ("DELETE", PRODUCTS, 405)],
)
def test_what_the_router_refuses_needs_no_token(
    guarded: Guarded, method: str, path: str, status: int
) -> None:
    problem(guarded("all").open(path, method=method), status)


def test_a_token_given_by_the_operator_is_compared_as_a_whole(guarded: Guarded) -> None:
    client = guarded("all", admin_token=ADMIN_TOKEN)
    tries = [ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", ADMIN_TOKEN.upper(), ADMIN_TOKEN]

    assert [client.get(PRODUCTS, headers=factories.bearer(each)).status_code for each in tries] == [
        401,
        401,
        401,
        200,
    ]


def test_keys_of_one_caller_serve_no_other(guarded: Guarded, sessions: Sessions) -> None:
    client = guarded("write")
    first, second = headers_of("write", sessions), headers_of("write", sessions)
    sent = [first, first, second]

    ids = [
        client.post(PRODUCTS, json=KETTLE, headers=each | {"Idempotency-Key": "k-1"}).get_json()["id"]
        for each in sent
    ]

    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("asked", "who", "expected"),
    [
        (("all", PRODUCTS), "read", "private, no-cache"),
        (("all", PRODUCTS), "none", "private, no-cache"),
        (("all", PRODUCTS), "unknown", "private, no-cache"),
        (("all", f"{PRODUCTS}?limit=0"), "read", "private, no-cache"),
        (("all", f"{PRODUCTS}/7"), "read", "private, no-cache"),
        (("all", "/api/v1/nothing"), "read", "private, no-cache"),
        (("write", PRODUCTS), "read", "private, no-cache"),
        (("write", PRODUCTS), "none", "no-cache"),
        (("off", PRODUCTS), "unknown", "private, no-cache"),
        (("off", PRODUCTS), "none", "no-cache"),
        (("all", "/livez"), "none", "no-cache"),
        (("all", "/docs/swagger-ui.css"), "none", "public, max-age=31536000, immutable"),
    ],
)
def test_no_shared_cache_keeps_what_needs_or_has_a_token(
    guarded: Guarded, sessions: Sessions, asked: tuple[str, str], who: str, expected: str
) -> None:
    mode, path = asked
    response = guarded(mode).get(path, headers=headers_of(who, sessions))

    assert response.headers["Cache-Control"] == expected


def test_an_answer_without_a_body_may_not_be_shared_either(guarded: Guarded, sessions: Sessions) -> None:
    client, headers = guarded("all"), headers_of("read", sessions)
    tag = client.get(PRODUCTS, headers=headers).headers["ETag"]

    unchanged = client.get(PRODUCTS, headers=headers | {"If-None-Match": tag})

    assert (unchanged.status_code, unchanged.headers["Cache-Control"]) == (304, "private, no-cache")
