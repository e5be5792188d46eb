"""Tokens in the database: their storage, and how long they are valid."""

import multiprocessing
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from productator.access import api_tokens
from productator.cli.tokens import first_token
from productator.database.web import readers
from productator.domain import utc_now
from productator.models import ApiToken
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.factories import NOW, bearer
from tests.marks import SENDS_NO_SQL

Guarded = Callable[..., FlaskClient]
Sessions = sessionmaker[Session]
MINUTE = timedelta(minutes=1)


def stored(sessions: Sessions, token_id: int) -> ApiToken:
    with sessions() as session:
        return session.get_one(ApiToken, token_id)


def good(sessions: Sessions, secret: str, *, now: datetime) -> bool:
    with sessions() as session:
        return api_tokens.find_valid(session.connection(), secret, now=now) is not None


def test_only_a_digest_is_stored(engine: Engine, sessions: Sessions) -> None:
    token_id, secret = factories.token(sessions, "write")
    with engine.connect() as connection:
        row = connection.execute(select(ApiToken.__table__)).one()

    assert stored(sessions, token_id).token_hash == api_tokens.digest(secret)
    assert secret[len(row.prefix) :] not in str(row)
    assert secret.startswith(row.prefix)
    assert len(row.prefix) < 10


def test_tokens_differ_in_all_their_256_bits(sessions: Sessions) -> None:
    secrets = {factories.token(sessions, "read")[1] for _ in range(20)}

    assert len({secret[:10] for secret in secrets}) == 20
    assert {(secret[:3], len(secret)) for secret in secrets} == {("pt_", 3 + 43)}


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, lambda secret: secret + "x", lambda secret: secret[:-1]]
)
def test_a_token_has_to_be_exact(sessions: Sessions, change: Callable[[str], str]) -> None:
    _, secret = factories.token(sessions, "write")

    assert good(sessions, secret, now=NOW)
    assert not good(sessions, change(secret), now=NOW)


@pytest.mark.parametrize(("after", "is_good"), [(-MINUTE, True), (timedelta(), False), (MINUTE, False)])
def test_a_token_ends_when_it_expires(sessions: Sessions, after: timedelta, is_good: bool) -> None:
    _, secret = factories.token(sessions, "write", expires_at=NOW)

    assert good(sessions, secret, now=NOW + after) == is_good


def test_a_revoked_token_is_refused_at_once(guarded: Guarded, sessions: Sessions) -> None:
    client = guarded("all")
    token_id, secret = factories.token(sessions, "read")
    before = client.get(PRODUCTS, headers=bearer(secret))
    with sessions.begin() as session:
        api_tokens.revoke(session, token_id, now=NOW)

    assert before.status_code == 200
    problem(client.get(PRODUCTS, headers=bearer(secret)), 401)


def test_unknown_expired_and_revoked_tokens_get_the_same_message(
    guarded: Guarded, sessions: Sessions
) -> None:
    expired = factories.token(sessions, "read", expires_at=NOW - MINUTE)[1]
    token_id, revoked = factories.token(sessions, "read")
    with sessions.begin() as session:
        api_tokens.revoke(session, token_id, now=NOW)
    client = guarded("write")

    answers = [client.get(PRODUCTS, headers=bearer(each)) for each in (expired, revoked, "pt_unknown")]

    assert len({problem(answer, 401)["detail"] for answer in answers}) == 1
    assert len({answer.headers["WWW-Authenticate"] for answer in answers}) == 1


def test_revoking_twice_keeps_the_first_time(sessions: Sessions) -> None:
    token_id, _ = factories.token(sessions, "read")
    for now in (NOW, NOW + MINUTE):
        with sessions.begin() as session:
            api_tokens.revoke(session, token_id, now=now)

    assert stored(sessions, token_id).revoked_at == NOW


def test_the_use_of_a_token_is_recorded_after_the_answer(guarded: Guarded, sessions: Sessions) -> None:
    token_id, secret = factories.token(sessions, "read")
    response = guarded("write").get(PRODUCTS, headers=bearer(secret))

    before = stored(sessions, token_id).last_used_at
    response.close()

    assert before is None
    noted = stored(sessions, token_id).last_used_at
    assert noted
    assert utc_now() - noted < MINUTE


@pytest.mark.parametrize(("after", "noted"), [(0.99 * MINUTE, NOW), (MINUTE, NOW + MINUTE)])
def test_the_use_is_recorded_once_a_minute(sessions: Sessions, after: timedelta, noted: datetime) -> None:
    token_id, _ = factories.token(sessions, "read")
    for now in (NOW, NOW + after):
        with sessions.begin() as session:
            api_tokens.record_use(session.connection(), token_id, now=now)

    assert stored(sessions, token_id).last_used_at == noted


def test_a_use_that_a_clock_recorded_ahead_of_time_is_put_right_by_the_next(sessions: Sessions) -> None:
    token_id, _ = factories.token(sessions, "read")
    for now in (NOW + timedelta(days=2_000), NOW):
        with sessions.begin() as session:
            api_tokens.record_use(session.connection(), token_id, now=now)

    assert stored(sessions, token_id).last_used_at == NOW


def test_a_request_is_answered_although_the_use_cannot_be_recorded(
    guarded: Guarded, sessions: Sessions
) -> None:
    client = guarded("write")
    _, secret = factories.token(sessions, "read")
    with client.application.app_context():
        event.listen(readers().engine, "before_cursor_execute", refuse_updates)

    response = client.get(PRODUCTS, headers=bearer(secret))
    response.close()

    assert response.status_code == 200


def refuse_updates(_connection: object, _cursor: object, statement: str, *_: object) -> None:
    if statement.startswith("UPDATE"):
        raise OperationalError(statement, {}, Exception("database is locked"))


@SENDS_NO_SQL
def test_a_token_with_a_lost_database_is_a_503(guarded: Guarded, sessions: Sessions, tmp_path: Any) -> None:
    client = guarded("write", database_url=f"sqlite:///{tmp_path}")

    problem(client.get(PRODUCTS, headers=bearer("pt_x")), 503)


def test_the_first_token_is_made_once(engine: Engine, sessions: Sessions) -> None:
    settings = factories.settings(database_url=url_of(engine), auth="write")

    first, second = first_token(settings), first_token(settings)

    assert first
    assert second is None
    assert good(sessions, first, now=utc_now())
    assert [token.scopes for token in listed(sessions)] == ["admin"]


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def listed(sessions: Sessions) -> list[ApiToken]:
    with sessions() as session:
        return list(api_tokens.list_all(session))


@pytest.mark.parametrize("over", [{"auth": "off"}, {"auth": "write", "admin_token": "given-by-the-operator"}])
def test_no_first_token_is_made_where_none_is_needed(
    engine: Engine, sessions: Sessions, over: dict[str, str]
) -> None:
    assert first_token(factories.settings(database_url=url_of(engine), **over)) is None
    assert listed(sessions) == []


def test_no_first_token_is_made_where_all_were_revoked(engine: Engine, sessions: Sessions) -> None:
    token_id, _ = factories.token(sessions, "admin")
    with sessions.begin() as session:
        api_tokens.revoke(session, token_id, now=NOW)

    assert first_token(factories.settings(database_url=url_of(engine), auth="all")) is None


def test_of_eight_programs_that_start_at_once_one_makes_the_first_token(
    engine: Engine, sessions: Sessions
) -> None:
    context = multiprocessing.get_context("fork")
    start, secrets = context.Barrier(8), context.SimpleQueue()
    processes = [
        context.Process(target=start_in_a_process, args=(url_of(engine), start, secrets)) for _ in range(8)
    ]
    with ExitStack() as running:
        for process in processes:
            process.start()
            running.callback(process.join)

    made = [secret for secret in (secrets.get() for _ in processes) if secret]
    assert [process.exitcode for process in processes] == [0] * 8
    assert len(made) == len(listed(sessions)) == 1
    assert good(sessions, made[0], now=utc_now())


def start_in_a_process(url: str, start: Barrier, secrets: Any) -> None:
    settings = factories.settings(database_url=url, auth="write")
    start.wait()
    secrets.put(first_token(settings))


def test_a_database_without_tables_is_reported_and_stops_no_start(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = factories.settings(database_url=empty_database_url, auth="write")

    assert first_token(settings) is None
    said = capsys.readouterr().err
    assert "Cannot check whether a token exists: it is not migrated, run `productator migrate`" in said
