"""The database accepts connections and answers nothing, or keeps its write lock: requests end in time."""

import socket
import sqlite3
import time
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import make_url

from productator.app import create_app
from tests import factories
from tests.api.checks import PRODUCTS, problem
from tests.servers import MigratedDatabase, SharedServer, dispose_of

BUDGET_S = 1


@pytest.fixture
def mute() -> Iterator[FlaskClient]:
    """A client of an application whose database server accepts connections, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url = f"mysql+pymysql://root@127.0.0.1:{port}/test"
        app = create_app(factories.settings(database_url=url, request_budget_s=BUDGET_S))
        yield app.test_client()
        dispose_of(app)


@pytest.fixture
def locked(sqlite_files: SharedServer) -> Iterator[FlaskClient]:
    """A client of an application on a file whose write lock somebody holds."""
    database = MigratedDatabase(sqlite_files.new)
    url = database.engine.url.render_as_string()
    app = create_app(factories.settings(database_url=url, request_budget_s=BUDGET_S))
    holder = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield app.test_client()
    holder.close()
    dispose_of(app)
    database.close()


def seconds_to_refuse(client: FlaskClient, method: str, path: str) -> float:
    """How long it took to answer 503 with Retry-After."""
    began = time.monotonic()
    response = client.open(path, method=method, json={"name": "Kettle"} if method == "POST" else None)
    took_s = time.monotonic() - began
    problem(response, 503)
    return took_s


@pytest.mark.parametrize(("method", "path"), [("GET", PRODUCTS), ("POST", PRODUCTS)])
def test_a_mute_server_is_a_503_when_the_budget_is_spent(mute: FlaskClient, method: str, path: str) -> None:
    assert seconds_to_refuse(mute, method, path) < BUDGET_S + 1


def test_a_mute_server_makes_readiness_red_within_three_seconds_and_leaves_liveness(
    mute: FlaskClient,
) -> None:
    assert seconds_to_refuse(mute, "GET", "/readyz") < 3
    assert mute.get("/livez").status_code == 200


def test_a_held_write_lock_is_a_503_when_the_budget_is_spent_and_stops_no_read(locked: FlaskClient) -> None:
    assert BUDGET_S - 0.2 < seconds_to_refuse(locked, "POST", PRODUCTS) < BUDGET_S + 1
    assert locked.get(PRODUCTS).status_code == 200


def test_a_held_write_lock_is_no_idempotency_key_in_use(locked: FlaskClient) -> None:
    response = locked.post(PRODUCTS, json={"name": "Kettle"}, headers={"Idempotency-Key": "nobody-uses-it"})

    assert problem(response, 503)["type"] == "/problems/unavailable"


def test_a_held_write_lock_makes_readiness_red_within_three_seconds(locked: FlaskClient) -> None:
    assert seconds_to_refuse(locked, "GET", "/readyz") < 3
