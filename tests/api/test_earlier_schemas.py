"""A database of every earlier schema, with data, under this version."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask.testing import FlaskClient
from sqlalchemy import Engine, MetaData, Table, insert, select
from sqlalchemy.orm import sessionmaker

from productator.app import create_app
from productator.database import migrate as schema
from productator.database.engine import make_engine
from tests import factories
from tests.api.checks import PRODUCTS, items
from tests.factories import FAR_FUTURE, NOW
from tests.refresher.rows import Sessions
from tests.servers import dispose_of

CONFIG = Config()
CONFIG.set_main_option("script_location", schema.__file__.removesuffix("migrate.py") + "migrations")
EARLIER = sorted(
    each.revision for each in ScriptDirectory.from_config(CONFIG).walk_revisions() if not each.is_head
)

TIME, LATER = NOW.replace(tzinfo=None), FAR_FUTURE.replace(tzinfo=None)
PRODUCT = {"description": "", "version": 3, "created_at": TIME, "updated_at": TIME, "registered_at": TIME}
OFFER = {"product_id": 1, "version": 1, "created_at": TIME, "updated_at": TIME}
CHANGE = {"product_id": 1, "changed_at": TIME, "kind": 1}
TOKEN = {"name": "shop", "prefix": "pt_abcd", "scopes": "write", "created_at": TIME}
# A row has those of its columns that the schema has.
ROWS: dict[str, list[dict[str, Any]]] = {
    "products": [
        PRODUCT | {"id": 1, "name": "Čaj", "remote_id": "one", "words": "__caj"},
        PRODUCT | {"id": 2, "name": "Lamp", "remote_id": "two", "words": "__lamp", "registered_at": None},
    ],
    "refreshes": [
        {"product_id": 1, "due_at": LATER, "refreshed_at": TIME, "failures": 0, "pending": False},
        {"product_id": 2, "due_at": LATER, "refreshed_at": None, "failures": 2, "pending": True},
    ],
    "offers": [
        OFFER | {"id": 1, "remote_id": "a", "price": 100, "items_in_stock": 5},
        OFFER | {"id": 2, "remote_id": None, "price": 31, "items_in_stock": 0},
    ],
    "offer_changes": [
        CHANGE | {"offer_id": 1, "remote_id": "a", "price": 100, "items_in_stock": 5},
        CHANGE | {"offer_id": 2, "remote_id": None, "price": 31, "items_in_stock": 0},
    ],
    "price_points": [
        {
            "product_id": 1,
            "starts_at": TIME,
            "resolution_s": 0,
            "lowest_price": 100,
            "highest_price": 100,
            "average_price": 100_000,
            "offers": 2,
            "items_in_stock": 5,
        }
    ],
    "idempotency_keys": [
        {"scope": "s", "fingerprint": "f", "status": 201, "headers": "{}", "body": "{}", "created_at": TIME}
    ],
    "service_tokens": [{"identity": "i", "access_token": "t", "obtained_at": TIME, "expires_at": LATER}],
    "api_tokens": [TOKEN | {"id": 1, "token_hash": "h"}],
    "history_chores": [{"name": "prune", "done_until": TIME, "product_id": 1}],
    "installation_keys": [{"name": "cursors", "secret": "ab"}],
}


@pytest.fixture(params=EARLIER)
def earlier(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Engine]:
    """A database of that schema, with rows in every table that it has."""
    engine = make_engine(empty_database_url)
    with engine.begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, request.param)
    filled = of_the_schema(engine)
    with engine.begin() as connection:
        for table, rows in filled:
            connection.execute(insert(table), rows)
    yield engine
    engine.dispose()


def of_the_schema(engine: Engine) -> list[tuple[Table, list[dict[str, Any]]]]:
    """The tables that the database has, and their rows."""
    found = MetaData()
    found.reflect(engine)
    return [
        (table, [{name: row[name] for name in row if name in table.c} for row in ROWS[table.name]])
        for table in found.sorted_tables
        if table.name in ROWS
    ]


@pytest.fixture
def client(earlier: Engine, empty_database_url: str) -> Iterator[FlaskClient]:
    """A client of this version, after the upgrade."""
    schema.migrate(earlier)
    app = create_app(factories.settings(database_url=empty_database_url))
    yield app.test_client()
    dispose_of(app)


@pytest.fixture
def sessions(earlier: Engine) -> Sessions:
    return sessionmaker(earlier)


def test_an_upgrade_keeps_every_value_of_every_row(earlier: Engine) -> None:
    before = of_the_schema(earlier)
    schema.migrate(earlier)
    with earlier.connect() as connection:
        for table, rows in before:
            columns = [table.c[name] for name in rows[0]]
            found = connection.execute(select(*columns).order_by(*table.primary_key.columns)).all()
            assert [_in_utc(row._asdict()) for row in found] == rows


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """The row with times as it was inserted: drivers of servers read them with their zone."""
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def test_the_api_reads_finds_and_changes_what_an_earlier_version_stored(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200
    assert [each["name"] for each in items(client, PRODUCTS)] == ["Čaj", "Lamp"]
    assert [each["registration"] for each in items(client, PRODUCTS)] == ["registered", "pending"]
    assert [each["id"] for each in items(client, f"{PRODUCTS}?q=caj")] == [1]
    assert [each["price"] for each in items(client, f"{PRODUCTS}/1/offers")] == [100, 31]
    assert client.patch(f"{PRODUCTS}/1", json={"name": "Tea"}).status_code == 200
    assert client.post(f"{PRODUCTS}/1/offers", json={"price": 7, "items_in_stock": 1}).status_code == 201
    changes = items(client, f"{PRODUCTS}/1/offers/1/history")
    assert [each["price"] for each in changes] == [100]
    assert client.delete(f"{PRODUCTS}/1").status_code == 204
