"""What caches may keep: anybody's reads for as long as the setting says, and nothing of a caller's own."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS
from tests.servers import dispose_of

PRIVATE = "private, no-cache"


@pytest.fixture
def cached(database_url: str) -> Iterator[FlaskClient]:
    """A client of an application whose answers caches may keep for two seconds."""
    app = create_app(factories.settings(database_url=database_url, auth="write", cache_s=2))
    yield app.test_client()
    dispose_of(app)


@pytest.mark.parametrize("path", [PRODUCTS, OFFERS, f"{PRODUCTS}?q=kettle"])
def test_anonymous_reads_may_be_kept_for_the_seconds_of_the_setting(cached: FlaskClient, path: str) -> None:
    assert cached.get(path).headers["Cache-Control"] == "public, max-age=2"
    assert cached.head(path).headers["Cache-Control"] == "public, max-age=2"


def test_an_unchanged_answer_may_be_kept_as_long(cached: FlaskClient) -> None:
    tag = cached.get(PRODUCTS).headers["ETag"]

    unchanged = cached.get(PRODUCTS, headers={"If-None-Match": tag})

    assert (unchanged.status_code, unchanged.headers["Cache-Control"]) == (304, "public, max-age=2")
    assert unchanged.headers["ETag"] == tag


def test_what_was_asked_with_a_wrong_token_is_never_kept(cached: FlaskClient) -> None:
    answer = cached.get(PRODUCTS, headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, PRIVATE)


def test_what_was_asked_with_a_cookie_is_never_kept(cached: FlaskClient) -> None:
    cached.set_cookie("session", "x")

    answer = cached.get(PRODUCTS)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, PRIVATE)


def test_what_was_asked_with_a_valid_token_is_never_kept(
    cached: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    _, secret = factories.token(sessions, "read")

    answer = cached.get(PRODUCTS, headers=factories.bearer(secret))

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, PRIVATE)


@pytest.mark.parametrize("path", [f"{PRODUCTS}/7", f"{PRODUCTS}?limit=0", "/api/v1/nothing"])
def test_problems_are_asked_for_each_time(cached: FlaskClient, path: str) -> None:
    assert cached.get(path).headers["Cache-Control"] == "no-cache"


def test_answers_to_writes_are_not_kept(cached: FlaskClient) -> None:
    assert cached.post(PRODUCTS, json={"name": "Kettle"}).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/livez", "/openapi.json", "/nowhere"])
def test_what_is_not_data_is_asked_for_each_time(cached: FlaskClient, path: str) -> None:
    assert cached.get(path).headers["Cache-Control"] == "no-cache"


def test_nothing_is_kept_where_every_read_needs_a_token(database_url: str) -> None:
    app = create_app(factories.settings(database_url=database_url, auth="all", cache_s=2))

    answer = app.test_client().get(PRODUCTS)
    dispose_of(app)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, PRIVATE)


@pytest.mark.parametrize("path", [PRODUCTS, f"{PRODUCTS}/7"])
def test_an_answer_depends_on_the_token_and_the_cookie(cached: FlaskClient, path: str) -> None:
    assert cached.get(path).headers["Vary"] == "Authorization, Cookie"


def test_without_the_setting_caches_ask_each_time(client: FlaskClient) -> None:
    assert client.get(PRODUCTS).headers["Cache-Control"] == "no-cache"
