"""The database is down, comes back, or rolls back: probes, problems and retries."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from productator.app import create_app
from productator.database import migrate
from productator.database.engine import make_engine
from productator.database.web import database, db
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, failure, offer_url, problem
from tests.servers import MigratedDatabase, SharedServer, dispose_of

Json = dict[str, Any]

REQUESTS = [
    ("GET", PRODUCTS, None),
    ("GET", f"{PRODUCTS}/1", None),
    ("GET", f"{PRODUCTS}/1/offers", None),
    ("GET", f"{PRODUCTS}/1/offers/1", None),
    ("GET", OFFERS, None),
    ("POST", PRODUCTS, {"name": "Kettle"}),
    ("POST", f"{PRODUCTS}/batch", {"items": [{"name": "Kettle"}]}),
    ("PUT", f"{PRODUCTS}/1", {"name": "Kettle"}),
    ("PATCH", f"{PRODUCTS}/1", {"name": "Kettle"}),
    ("DELETE", f"{PRODUCTS}/1", None),
    ("POST", f"{PRODUCTS}/1/refresh", None),
    ("POST", f"{PRODUCTS}/1/offers", {"price": 1, "items_in_stock": 1}),
    ("DELETE", f"{PRODUCTS}/1/offers/1", None),
]


@pytest.fixture(params=["sqlite", "server"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of an application whose database cannot be reached."""
    tmp_path.joinpath("folder.db").mkdir()
    urls = {
        "sqlite": f"sqlite:///{tmp_path / 'folder.db'}",
        "server": "mysql+pymysql://root:hidden@127.0.0.1:1/test",
    }
    app = create_app(factories.settings(database_url=urls[request.param]))
    yield app.test_client()
    dispose_of(app)


@pytest.fixture
def unmigrated(empty_database_url: str) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=empty_database_url))
    yield app.test_client()
    dispose_of(app)


@pytest.fixture
def own_app(database_url: str) -> Iterator[Flask]:
    """An application that shares its connections with no other test."""
    app = create_app(factories.settings(database_url=database_url))
    yield app
    dispose_of(app)


def end_connections(engine: Engine, app: Flask) -> None:
    """Ends the connections of the application from the server's side; SQLite has none to end."""
    if engine.dialect.name == "sqlite":
        return
    with app.app_context():
        sources = (database().writers, database().readers)
    for source in sources:
        with source.connect() as connection:
            number = connection.scalar(text("SELECT CONNECTION_ID()"))
        with engine.connect() as killer:
            killer.execute(text(f"KILL {number}"))


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_lost_database_is_a_503_that_asks_to_come_again(
    away: FlaskClient, method: str, path: str, body: Json | None
) -> None:
    response = away.open(path, method=method, json=body)

    problem(response, 503)
    assert int(response.headers["Retry-After"]) > 0
    assert "hidden" not in response.text


def test_answers_that_need_no_database_are_given(away: FlaskClient) -> None:
    problem(away.get("/nowhere"), 404)
    problem(away.post(PRODUCTS, json={}), 422)


def test_a_lost_database_leaves_the_api_alive_but_not_ready(away: FlaskClient) -> None:
    ready = away.get("/readyz")

    assert away.get("/livez").status_code == 200
    assert ready.status_code == 503
    assert problem(ready, 503)["detail"] == "The database does not answer."


def test_an_api_with_its_database_is_alive_and_ready(client: FlaskClient) -> None:
    assert (client.get("/livez").status_code, client.get("/livez").get_json()) == (200, {"status": "alive"})
    assert (client.get("/readyz").status_code, client.get("/readyz").get_json()) == (200, {"status": "ready"})


def test_a_database_without_its_schema_is_not_ready(unmigrated: FlaskClient) -> None:
    ready = unmigrated.get("/readyz")

    assert unmigrated.get("/livez").status_code == 200
    assert ready.status_code == 503
    assert problem(ready, 503)["detail"] == "The database is not migrated: run `productator migrate`."


def test_the_api_gets_ready_once_the_schema_is_there(
    unmigrated: FlaskClient, empty_database_url: str
) -> None:
    engine = make_engine(empty_database_url)
    migrate.migrate(engine)
    engine.dispose()

    assert unmigrated.get("/readyz").status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_missing_schema_is_a_503_that_says_what_to_run(
    unmigrated: FlaskClient, method: str, path: str, body: Json | None
) -> None:
    response = unmigrated.open(path, method=method, json=body)

    assert problem(response, 503)["detail"] == "The database is not migrated: run `productator migrate`."
    assert int(response.headers["Retry-After"]) > 0


def test_a_schema_of_an_older_version_is_a_503_that_says_what_to_run(
    unmigrated: FlaskClient, empty_database_url: str
) -> None:
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE products (id INTEGER PRIMARY KEY)"))
    engine.dispose()

    for response in (unmigrated.get(PRODUCTS), unmigrated.post(PRODUCTS, json={"name": "Kettle"})):
        assert problem(response, 503)["detail"] == "The database is not migrated: run `productator migrate`."


def test_a_missing_file_is_a_503_that_says_what_to_run_and_stays_missing(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "mistyped.db"
    app = create_app(factories.settings(database_url=f"sqlite:///{file}"))
    client = app.test_client()

    for response in (client.get(PRODUCTS), client.get("/readyz")):
        assert problem(response, 503)["detail"] == "The database is not migrated: run `productator migrate`."
    dispose_of(app)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_means_the_same_file_to_the_api_as_to_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    migrate.migrate(engine := make_engine("sqlite:///x.db"))
    engine.dispose()
    app = create_app(factories.settings(database_url="sqlite:///x.db"))

    assert app.test_client().get("/readyz").status_code == 200
    dispose_of(app)


def test_a_read_survives_the_end_of_its_pooled_connection(engine: Engine, own_app: Flask) -> None:
    client = own_app.test_client()
    product = factories.posted_product(client)
    client.get(PRODUCTS)

    end_connections(engine, own_app)

    assert client.get(PRODUCTS).get_json()["items"] == [product]


def test_a_write_survives_the_end_of_its_pooled_connection(engine: Engine, own_app: Flask) -> None:
    client = own_app.test_client()
    product = factories.posted_product(client)

    end_connections(engine, own_app)

    assert client.patch(f"{PRODUCTS}/{product['id']}", json={"name": "Teapot"}).status_code == 200


def test_the_api_is_ready_again_after_its_connections_ended(engine: Engine, own_app: Flask) -> None:
    client = own_app.test_client()
    client.get("/readyz")

    end_connections(engine, own_app)

    assert client.get("/readyz").status_code == 200


def test_a_change_that_failed_halfway_is_not_made(
    client: FlaskClient, offer: Json, failures: list[Exception]
) -> None:
    failures.append(RuntimeError("UPDATE offers"))

    problem(client.patch(offer_url(offer), json={"price": 1}), 500)

    assert client.get(offer_url(offer)).get_json() == offer


@pytest.mark.parametrize(
    ("method", "body"),
    [("PUT", {"price": 1, "items_in_stock": 1}), ("PATCH", {"price": 1}), ("DELETE", None)],
)
def test_a_transaction_that_the_database_rolled_back_runs_again(
    client: FlaskClient, offer: Json, failures: list[Exception], method: str, body: Json | None
) -> None:
    failures += [failure(1205), failure(1213), failure(1213)]

    assert client.open(offer_url(offer), method=method, json=body).status_code in {200, 204}
    assert failures == []


def test_a_creation_that_is_run_again_creates_one_product(
    client: FlaskClient, failures: list[Exception]
) -> None:
    failures += [failure(1213)] * 2

    product = factories.posted_product(client)

    assert client.get(PRODUCTS).get_json()["items"] == [product]


def test_a_transaction_that_is_rolled_back_every_time_is_a_503(
    client: FlaskClient, offer: Json, failures: list[Exception]
) -> None:
    failures += [failure(1213)] * 20

    problem(client.patch(offer_url(offer), json={"price": 1}), 503)

    assert client.get(offer_url(offer)).get_json() == offer


def test_a_commit_whose_answer_was_lost_is_reported_as_unknown_and_does_not_run_again(
    client: FlaskClient, failures: list[Exception]
) -> None:
    failures += [failure(2013, connection_lost=True)]

    response = client.post(PRODUCTS, json={"name": "Kettle"})

    assert "may or may not" in problem(response, 503)["detail"]
    assert failures == []


class SqliteLimit:
    """A pragma that every connection of an application obeys from its next use on."""

    def __init__(self, app: Flask) -> None:
        self.pragma = ""
        with app.app_context():
            for each in db.engines.values():
                event.listen(each, "before_cursor_execute", self._set)

    def _set(self, _connection: object, cursor: sqlite3.Cursor, *_: object) -> None:
        if self.pragma:
            cursor.connection.execute(self.pragma)


@pytest.fixture
def limited(sqlite_files: SharedServer) -> Iterator[tuple[FlaskClient, SqliteLimit]]:
    database = MigratedDatabase(sqlite_files.new)
    yield database.app.test_client(), SqliteLimit(database.app)
    database.close()


# What stands for a full disk and a read-only file, what ends it, and how the API calls it.
REFUSALS = {
    "full": (
        "PRAGMA max_page_count = 1",
        "PRAGMA max_page_count = 1000000",
        "The disk of the database is full.",
    ),
    "read-only": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF", "The database is read-only."),
}


@pytest.mark.parametrize(("begin", "end", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_database_that_stores_nothing_is_a_503_that_says_why_until_it_stores_again(
    limited: tuple[FlaskClient, SqliteLimit], begin: str, end: str, reason: str
) -> None:
    client, limit = limited
    factories.posted_product(client)
    limit.pragma = begin
    batch = {"items": 100 * [{"name": "Kettle", "description": 5_000 * "x"}]}

    refused = problem(client.post(f"{PRODUCTS}/batch", json=batch), 503)
    assert (refused["type"], reason in refused["detail"]) == ("/problems/nothing-is-stored", True)
    assert problem(client.get("/readyz"), 503)["detail"] == reason
    assert (client.get("/livez").status_code, client.get(PRODUCTS).status_code) == (200, 200)

    limit.pragma = end
    assert client.get("/readyz").status_code == 200
    assert client.post(f"{PRODUCTS}/batch", json=batch).status_code == 207


@pytest.mark.parametrize("code", [1021, 1114])
def test_a_server_without_room_makes_writes_and_readiness_a_503_that_says_so(
    client: FlaskClient, failures: list[Exception], code: int
) -> None:
    failures += [failure(code), failure(code)]

    refused = problem(client.post(PRODUCTS, json={"name": "Kettle"}), 503)
    assert refused["type"] == "/problems/nothing-is-stored"
    assert problem(client.get("/readyz"), 503)["detail"] == "The disk of the database is full."
    assert client.get("/readyz").status_code == 200
    assert client.get(PRODUCTS).get_json()["items"] == []


def test_readiness_leaves_nothing_in_the_database(client: FlaskClient, engine: Engine) -> None:
    assert client.get("/readyz").status_code == 200

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM idempotency_keys")) == 0
