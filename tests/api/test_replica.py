"""Reads from a replica of the database: who gets them, how old they may be, and what happens without it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from lab.replication import ReplicatedMariadb, replicated_mariadb
from lab.waiting import eventually
from productator.access import api_tokens
from productator.app import create_app
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import database, db
from productator.domain import Scope, utc_now
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of, skipped_if_missing
from tests.web.browser import send_form, sign_in

LAG_S = 3
# A measurement a second, and its timeouts.
NOTICED_WITHIN_S = 10
HANGS_S = 3
Headers = dict[str, str]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicatedMariadb]:
    with skipped_if_missing(), replicated_mariadb(tmp_path_factory.mktemp("replica")) as found:
        engine = make_engine(found.primary_url)
        migrate.migrate(engine)
        engine.dispose()
        yield found


@pytest.fixture
def app(servers: ReplicatedMariadb) -> Iterator[Flask]:
    app = create_app(
        factories.settings(
            database_url=servers.primary_url,
            database_replica_url=servers.replica_url,
            database_replica_lag_s=LAG_S,
            request_budget_s=4.0,
            slow_statement_ms=500,
            auth="write",
        )
    )
    with app.app_context():
        replica = database().replica
    assert replica is not None
    eventually(lambda: replica.is_close)
    yield app
    replica.stop()
    replica.readers.engine.dispose()
    dispose_of(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def token(app: Flask) -> Callable[..., Headers]:
    """Makes the headers of a new token: `token(Scope.WRITE)`."""

    def make(*scopes: Scope) -> Headers:
        with app.app_context(), Session(db.engine) as session, session.begin():
            _, secret = api_tokens.create(session, name="x", scopes=scopes, now=utc_now())
        return {"Authorization": f"Bearer {secret}"}

    return make


@pytest.fixture
def held_up(servers: ReplicatedMariadb, app: Flask) -> Iterator[None]:
    """The application has seen the replica up to date before."""
    assert app
    servers.hold_up()
    yield
    servers.go_on()


def create(client: FlaskClient, headers: Headers) -> str:
    """The path of a new product."""
    answer = client.post(PRODUCTS, json={"name": "Kettle"}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def status(client: FlaskClient, path: str, headers: Headers | None = None) -> int:
    return client.get(path, headers=headers).status_code


def reads(client: FlaskClient) -> dict[str, float]:
    """How many reads had each outcome."""
    lines: Sequence[str] = client.get("/metrics").text.splitlines()
    name = 'productator_replica_reads_total{outcome="'
    found = [line.removeprefix(name).split('"} ') for line in lines if line.startswith(name)]
    return {outcome: float(count) for outcome, count in found}


def lag(client: FlaskClient) -> float:
    name = "productator_replica_lag_seconds "
    return next(
        float(line.removeprefix(name))
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(name)
    )


@pytest.mark.usefixtures("held_up")
def test_others_read_the_replica_while_the_writer_reads_what_it_wrote(
    client: FlaskClient, token: Callable[..., Headers]
) -> None:
    writer = token(Scope.WRITE)
    path = create(client, writer)

    assert status(client, path) == 404  # the replica has not got it yet
    assert [status(client, path, writer) for _ in range(5)] == [200] * 5
    assert reads(client) == {"replica": 1, "wrote": 5, "behind": 0, "failed": 0, "busy": 0}


@pytest.mark.usefixtures("held_up")
def test_what_was_written_by_a_form_is_read_by_the_token_that_signed_in(
    client: FlaskClient, token: Callable[..., Headers]
) -> None:
    writer = token(Scope.WRITE)
    sign_in(client, writer["Authorization"].removeprefix("Bearer "))
    created = send_form(client, "/products/new", "/products", name="Kettle", description="")
    assert created.status_code == 303, created.text

    path = f"/api/v1{created.headers['Location'].partition('?')[0]}"
    assert status(client, path, writer) == 200


@pytest.mark.usefixtures("held_up")
def test_an_older_write_is_read_from_the_replica_again(
    app: Flask, client: FlaskClient, token: Callable[..., Headers]
) -> None:
    writer = token(Scope.WRITE)
    path = create(client, writer)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE api_tokens SET wrote_at = wrote_at - INTERVAL 1 MINUTE"))

    # A replica that were a minute behind would not be read at all.
    assert status(client, path, writer) == 404


def test_a_token_that_may_write_but_has_not_written_reads_the_replica(
    client: FlaskClient, token: Callable[..., Headers]
) -> None:
    before = reads(client)
    status(client, PRODUCTS, token(Scope.WRITE))
    status(client, PRODUCTS, token(Scope.READ))

    assert reads(client)["replica"] == before["replica"] + 2


def test_a_replica_that_is_too_far_behind_is_not_read(
    client: FlaskClient, servers: ReplicatedMariadb, token: Callable[..., Headers]
) -> None:
    servers.hold_up()
    try:
        path = create(client, token(Scope.WRITE))
        eventually(lambda: status(client, path) == 200, within_s=LAG_S + NOTICED_WITHIN_S)
        eventually(lambda: lag(client) >= LAG_S)
        assert reads(client)["behind"] > 0
    finally:
        servers.go_on()
    eventually(lambda: _is_read(client), within_s=NOTICED_WITHIN_S)
    assert status(client, path) == 200


def _is_read(client: FlaskClient) -> bool:
    before = reads(client)["replica"]
    status(client, PRODUCTS)
    return reads(client)["replica"] > before


def test_no_read_fails_when_the_replica_is_killed_and_it_is_read_again_at_its_return(
    client: FlaskClient, servers: ReplicatedMariadb
) -> None:
    servers.replica.kill()
    try:
        seen = [status(client, PRODUCTS) for _ in range(30)]
        ready = status(client, "/readyz")
    finally:
        servers.replica.start()
        servers.replica.wait_until_it_answers()

    assert (set(seen), ready) == ({200}, 200)
    assert reads(client)["failed"] >= 1
    eventually(lambda: _is_read(client), within_s=3 * NOTICED_WITHIN_S)


def test_no_read_fails_when_the_replica_hangs(
    app: Flask,
    client: FlaskClient,
    servers: ReplicatedMariadb,
    token: Callable[..., Headers],
) -> None:
    headers = token(Scope.READ)
    assert status(client, PRODUCTS, headers) == 200  # which also notes that the token was used

    def read_for_a_while() -> list[int]:
        own, until = app.test_client(), time.monotonic() + HANGS_S
        seen = []
        while time.monotonic() < until:
            seen.append(status(own, PRODUCTS, headers))
        return seen

    with ThreadPoolExecutor(30) as threads:
        servers.replica.pause()
        try:
            under_way = [threads.submit(read_for_a_while) for _ in range(30)]
            seen = Counter(each for thread in under_way for each in thread.result())
        finally:
            servers.replica.resume()

    assert set(seen) == {200}
    # The first failures are enough: what follows does not wait for it.
    assert seen[200] > 30 * HANGS_S
    eventually(lambda: _is_read(client), within_s=3 * NOTICED_WITHIN_S)


def test_reads_of_the_replica_leave_a_place_for_those_of_the_primary(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        here = database()
    assert here.replica is not None
    entered = 0
    while here.replica.enter():
        entered += 1
    before = reads(client)["busy"]

    assert status(client, PRODUCTS) == 200
    assert reads(client)["busy"] == before + 1
    assert entered == here.use.places - 1


def test_slow_statements_and_errors_of_the_replica_are_seen(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        replica = database().replica
    assert replica is not None

    with replica.readers.engine.connect() as connection:
        connection.execute(text("SELECT SLEEP(0.6)"))
        with pytest.raises(ProgrammingError):
            connection.execute(text("SELECT 1 FROM nowhere"))

    slow = [vars(each)["statement"] for each in caplog.records if each.message == "slow statement"]
    assert "SELECT SLEEP(0.6)" in slow
    assert 'productator_database_errors_total{kind="not-migrated"} 1.0' in client.get("/metrics").text


def test_nothing_can_be_written_to_the_replica(app: Flask) -> None:
    with app.app_context():
        replica = database().replica
    assert replica is not None

    with replica.readers.engine.connect() as connection, pytest.raises(Exception, match="READ ONLY"):
        connection.execute(text("DELETE FROM products"))


def test_where_access_control_is_off_nobody_reads_the_replica(servers: ReplicatedMariadb) -> None:
    settings: dict[str, Any] = {"database_url": servers.primary_url, "auth": "off"}
    app = create_app(factories.settings(**settings, database_replica_url=servers.replica_url))
    with app.app_context():
        replica = database().replica
    assert replica is not None
    eventually(lambda: replica.is_close)

    client = app.test_client()
    status(client, PRODUCTS)

    assert reads(client) == {"replica": 0, "wrote": 1, "behind": 0, "failed": 0, "busy": 0}
    replica.stop()
    replica.readers.engine.dispose()
    dispose_of(app)
