"""Bytes that are not UTF-8, wherever a request can have them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from productator.domain import Rate
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.servers import dispose_of

BAD = "\xff"  # WSGI passes bytes on as Latin-1
UTF_8 = "č".encode().decode("latin-1")
PATHS = ["/livez", "/problems", PRODUCTS, "/nowhere"]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """Three requests in an hour; every call under /api/ needs a token."""
    app = create_app(
        factories.settings(
            database_url=f"sqlite:///{tmp_path / 'x.db'}",
            auth="all",
            admin_token="the-admins-own-token",
            rate_limit=Rate(3, 3600),
        )
    )
    yield app.test_client(use_cookies=False)
    dispose_of(app)


ADMIN = {"Authorization": "Bearer the-admins-own-token"}


@pytest.mark.parametrize(
    "query", [BAD, f"q={BAD}", f"{BAD}=7", f"q={UTF_8}{BAD}", "q=%FF", "q=%c3", "q=%ED%A0%BD"]
)
@pytest.mark.parametrize("path", PATHS)
def test_a_query_that_is_not_utf_8_is_refused(client: FlaskClient, path: str, query: str) -> None:
    response = client.get(path, environ_overrides={"QUERY_STRING": query}, headers=ADMIN)

    assert problem_of(response)["detail"] == "The query is not UTF-8."


@pytest.mark.parametrize("path", [f"/{BAD}", f"{PRODUCTS}/{BAD}", f"/docs/{BAD}", f"/problems/{UTF_8}{BAD}"])
def test_a_path_that_is_not_utf_8_is_refused(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path})

    assert problem_of(response)["detail"] == "The path is not UTF-8."


@pytest.mark.parametrize(
    "name",
    ["Cookie", "Host", "Accept", "X-Anything", "X-Request-Id", "If-None-Match", "Idempotency-Key", "Origin"],
)
@pytest.mark.parametrize("path", ["/livez", "/problems", "/nowhere"])
def test_a_header_that_is_not_utf_8_is_refused(client: FlaskClient, path: str, name: str) -> None:
    variable = f"HTTP_{name.upper().replace('-', '_')}"

    response = client.get(path, environ_overrides={variable: f"a={BAD}"})

    assert problem_of(response)["detail"] == f"The header {name} is not UTF-8."


def problem_of(response: Any) -> dict[str, Any]:
    assert response.status_code == 400
    body: dict[str, Any] = response.get_json(force=True)
    assert body["type"] == "/problems/malformed-request"
    return body


def test_utf_8_is_served(client: FlaskClient) -> None:
    variables = {"QUERY_STRING": f"q={UTF_8}", "HTTP_COOKIE": f"a={UTF_8}", "HTTP_X_ANYTHING": UTF_8}

    assert client.get("/livez", environ_overrides=variables).status_code == 200


@pytest.mark.parametrize("headers", [{}, ADMIN], ids=["anonymous", "admin"])
@pytest.mark.parametrize(
    "variables",
    [{"QUERY_STRING": BAD}, {"HTTP_COOKIE": BAD}, {"CONTENT_LENGTH": "x"}, {"QUERY_STRING": "x" * 9_000}],
    ids=["query", "cookie", "length", "long"],
)
def test_requests_that_cannot_be_read_are_counted(
    client: FlaskClient, variables: dict[str, str], headers: dict[str, str]
) -> None:
    path = PRODUCTS if headers else "/problems"

    statuses = [client.get(path, headers=headers, environ_overrides=variables).status_code for _ in range(4)]

    assert statuses[0] in {400, 414}
    assert statuses == [*3 * statuses[:1], 429]


def test_no_traceback_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    problem(client.get("/livez", environ_overrides={"QUERY_STRING": BAD}), 400)

    assert not caplog.records
