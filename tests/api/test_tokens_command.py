"""`productator tokens`: commands and their output."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from productator import cli
from productator.access import api_tokens
from productator.domain import utc_now
from productator.models import ApiToken
from tests import factories
from tests.api.checks import PRODUCTS
from tests.factories import bearer

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

Run = Callable[..., Result]
Sessions = sessionmaker[Session]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `productator tokens ...` on the test's database."""
    monkeypatch.chdir(ROOT)
    environment = {"DATABASE_URL": database_url, "PRODUCTATOR_CONFIG": ""}
    return lambda *arguments: CliRunner().invoke(cli.main, ["tokens", *arguments], env=environment)


def made(run: Run, *arguments: str) -> str:
    """The new token: all of standard output."""
    result = run("create", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def stored(sessions: Sessions) -> list[ApiToken]:
    with sessions() as session:
        return list(api_tokens.list_all(session))


def only(sessions: Sessions) -> ApiToken:
    (token,) = stored(sessions)
    return token


def test_a_token_is_printed_once_and_alone(run: Run) -> None:
    result = run("create", "shop", "--scope", "write")

    assert re.fullmatch(r"pt_[\w-]{43}\n", result.stdout)
    assert re.fullmatch(r"Token \d+ \(shop: write\) is shown only this once\.\n", result.stderr)


def test_a_token_opens_what_its_scope_says(run: Run, guarded: Callable[..., FlaskClient]) -> None:
    secret = made(run, "shop", "--scope", "read")
    client = guarded("all")

    assert client.get(PRODUCTS, headers=bearer(secret)).status_code == 200
    assert client.post(PRODUCTS, headers=bearer(secret), json={"name": "Kettle"}).status_code == 403


def test_several_scopes_may_be_given(run: Run, sessions: Sessions) -> None:
    made(run, "shop", "--scope", "write", "--scope", "read", "--scope", "write")

    assert only(sessions).scopes == "read write"


def test_the_list_shows_the_first_characters_of_tokens(run: Run) -> None:
    secrets = [made(run, name, "--scope", "admin") for name in ("shop", "import at night")]

    lines = run("list").stdout.splitlines()

    assert len(lines) == 3
    assert [line.split()[1] for line in lines[1:]] == [secret[:8] for secret in secrets]
    assert not any(secret[8:] in line for secret in secrets for line in lines)
    assert "import at night" in lines[2]


def test_the_list_shows_last_use_and_state_of_a_token(run: Run, sessions: Sessions) -> None:
    past = datetime(2020, 2, 3, 4, 5, tzinfo=UTC)
    factories.token(sessions, "read", expires_at=past)
    factories.token(sessions, "read", expires_at=factories.FAR_FUTURE)
    used, _ = factories.token(sessions, "read")
    with sessions.begin() as session:
        session.get_one(ApiToken, used).last_used_at = past
    run("revoke", str(used))

    lines = run("list").stdout.splitlines()[1:]

    assert [line.split()[4] for line in lines] == ["expired", "active", "revoked"]
    assert [line.endswith("never") for line in lines] == [True, True, False]
    assert "2020-02-03 04:05" in lines[0]
    assert lines[2].endswith("2020-02-03 04:05")


def test_a_revoked_token_is_refused_by_an_api_that_runs(
    run: Run, sessions: Sessions, guarded: Callable[..., FlaskClient]
) -> None:
    client = guarded("write")
    secret = made(run, "shop", "--scope", "write")
    before = client.get(PRODUCTS, headers=bearer(secret)).status_code

    revoked = run("revoke", str(only(sessions).id))

    assert revoked.exit_code == 0
    assert "(shop) is revoked" in revoked.stdout
    assert (before, client.get(PRODUCTS, headers=bearer(secret)).status_code) == (200, 401)


def test_revoking_an_unknown_token_is_an_error(run: Run) -> None:
    result = run("revoke", "999")

    assert (result.exit_code, result.output) == (1, "Error: There is no token 999.\n")


@pytest.mark.parametrize(
    ("given", "days"),
    [("90d", 90), ("36h", 1.5), ("1440m", 1), ("2999-01-01", None), ("2999-01-01T12:00Z", None)],
)
def test_a_token_may_expire(run: Run, sessions: Sessions, given: str, days: float | None) -> None:
    made(run, "shop", "--scope", "read", "--expires", given)

    moments = {
        "2999-01-01": factories.FAR_FUTURE,
        "2999-01-01T12:00Z": factories.FAR_FUTURE + timedelta(hours=12),
    }
    wanted = moments.get(given) or utc_now() + timedelta(days=days or 0)
    expires_at = only(sessions).expires_at
    assert expires_at is not None
    assert abs(expires_at - wanted) < timedelta(minutes=1)


def test_the_time_of_another_zone_is_understood(run: Run, sessions: Sessions) -> None:
    made(run, "shop", "--scope", "read", "--expires", "2999-01-01T01:00+01:00")

    assert only(sessions).expires_at == factories.FAR_FUTURE


@pytest.mark.parametrize(
    "arguments",
    [
        ("shop",),
        ("\u3164", "--scope", "read"),
        ("shop", "--scope", "everything"),
        ("shop", "--scope", "read,write"),
        ("shop", "--scope", "read", "--expires", "soon"),
        ("shop", "--scope", "read", "--expires", "90"),
        ("shop", "--scope", "read", "--expires", "-1d"),
        ("shop", "--scope", "read", "--expires", "0d"),
        ("shop", "--scope", "read", "--expires", "2020-01-01"),
        ("shop", "--scope", "read", "--expires", "9999999999d"),
        ("shop", "--scope", "read", "--expires", "99999999999999999999d"),
        ("shop", "--scope", "read", "--expires", "2027-13-01"),
        ("", "--scope", "read"),
        (" ", "--scope", "read"),
        ("shop\n2", "--scope", "read"),
        (101 * "x", "--scope", "read"),
    ],
)
def test_wrong_options_create_no_token(run: Run, sessions: Sessions, arguments: tuple[str, ...]) -> None:
    result = run("create", *arguments)

    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output
    assert stored(sessions) == []


def test_a_database_that_is_down_is_reported_in_a_sentence(
    server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}", "PRODUCTATOR_CONFIG": ""}

    result = CliRunner().invoke(cli.main, ["tokens", "list"], env=environment)

    assert result.exit_code == 1
    assert "The database cannot be used" in result.output
