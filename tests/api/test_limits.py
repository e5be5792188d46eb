"""Rate limits of callers with tokens."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from productator.domain import Rate
from tests import factories
from tests.api.checks import PRODUCTS
from tests.marks import SENDS_NO_SQL
from tests.servers import dispose_of

ADMIN = "Bearer the-admins-own-token"
WRONG = "Bearer pt_wrong"


@pytest.fixture
def limited(database_url: str) -> Iterator[FlaskClient]:
    """Three requests in an hour; nothing needs a token, but a token that is sent must be valid."""
    app = create_app(
        factories.settings(
            database_url=database_url,
            rate_limit=Rate(3, 3600),
            auth="write",
            admin_token=ADMIN.removeprefix("Bearer "),
        )
    )
    yield app.test_client()
    dispose_of(app)


def statuses(client: FlaskClient, count: int, *, authorization: str | None = None) -> list[int]:
    headers = {} if authorization is None else {"Authorization": authorization}
    return [client.get(PRODUCTS, headers=headers).status_code for _ in range(count)]


def test_a_token_has_a_quota_of_its_own(limited: FlaskClient) -> None:
    assert statuses(limited, 4) == [200, 200, 200, 429]
    assert statuses(limited, 4, authorization=ADMIN) == [200, 200, 200, 429]


def test_wrong_tokens_are_refused_after_as_many_tries(limited: FlaskClient) -> None:
    assert statuses(limited, 5, authorization=WRONG) == [401, 401, 401, 429, 429]


def test_after_too_many_wrong_tokens_a_valid_one_is_refused_too(limited: FlaskClient) -> None:
    statuses(limited, 3, authorization=WRONG)

    assert statuses(limited, 1, authorization=ADMIN) == [429]


def test_wrong_tokens_do_not_count_for_requests_without_a_token(limited: FlaskClient) -> None:
    statuses(limited, 4, authorization=WRONG)

    assert statuses(limited, 3) == [200, 200, 200]


def test_the_answer_to_a_wrong_token_has_the_number_of_tries_left(limited: FlaskClient) -> None:
    statuses(limited, 1, authorization=WRONG)

    response = limited.get(PRODUCTS, headers={"Authorization": WRONG})

    assert response.headers["RateLimit"].startswith('"default";r=1;')


@SENDS_NO_SQL
def test_a_token_where_none_is_checked_counts_for_its_address(limited: FlaskClient) -> None:
    answers = [limited.get("/problems", headers={"Authorization": WRONG}).status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]


def test_options_with_a_token_are_counted_like_other_requests(limited: FlaskClient) -> None:
    # Otherwise they would try any number of tokens.
    for authorization, status in ((WRONG, 401), (ADMIN, 200)):
        address = {"REMOTE_ADDR": f"192.0.2.{status % 7}"}
        headers = {"Authorization": authorization}
        answers = [
            limited.options(PRODUCTS, headers=headers, environ_overrides=address).status_code
            for _ in range(4)
        ]
        assert answers == [status, status, status, 429]


def test_wrong_tokens_in_requests_that_cannot_be_read_are_counted(limited: FlaskClient) -> None:
    headers = {"Authorization": WRONG, "X-Long": 33_000 * "x"}

    assert [limited.get(PRODUCTS, headers=headers).status_code for _ in range(4)] == [401, 401, 401, 429]
