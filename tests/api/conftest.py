"""Rows that most tests of the API begin with."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from productator.database.web import db
from productator.models import Product, Refresh
from tests import factories
from tests.servers import MigratedDatabase, SharedServer, dispose_of


@pytest.fixture
def guarded(database_url: str) -> Iterator[Callable[..., FlaskClient]]:
    """Makes a client of an application of its own, with this mode of access control: `guarded("write")`."""
    apps = []

    def make(mode: str, **settings: Any) -> FlaskClient:
        over = {"database_url": database_url, "auth": mode} | settings
        apps.append(create_app(factories.settings(**over)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)


@pytest.fixture(scope="module")
def kept(server: SharedServer) -> Iterator[MigratedDatabase]:
    """A database of the module's own: what its tests only read is stored once."""
    database = MigratedDatabase(server.new)
    yield database
    database.close()


@pytest.fixture
def product(client: FlaskClient) -> dict[str, Any]:
    return factories.posted_product(client)


@pytest.fixture
def other_product(client: FlaskClient) -> dict[str, Any]:
    return factories.posted_product(client, name="Burr grinder")


@pytest.fixture
def offer(client: FlaskClient, product: dict[str, Any]) -> dict[str, Any]:
    """An own offer of the product."""
    return factories.posted_offer(client, product["id"])


@pytest.fixture
def registered_product(sessions: sessionmaker[Session], product: dict[str, Any]) -> dict[str, Any]:
    """A product that the Offers service knows."""
    with sessions.begin() as session:
        session.get_one(Product, product["id"]).registered_at = factories.NOW
    return product


@pytest.fixture
def refreshed_product(sessions: sessionmaker[Session], product: dict[str, Any]) -> dict[str, Any]:
    """A product whose offers were fetched at `factories.NOW`, and which is not due for long."""
    with sessions.begin() as session:
        refresh = session.get_one(Refresh, product["id"])
        refresh.refreshed_at, refresh.due_at = factories.NOW, factories.FAR_FUTURE
    return product


@pytest.fixture
def failures(app: Flask) -> Iterator[list[Exception]]:
    """The exceptions of the next commits of the application; each commit takes the last one."""
    planned: list[Exception] = []

    def fail(_connection: Connection) -> None:
        if planned:
            raise planned.pop()

    with app.app_context():
        committing = db.engine
    event.listen(committing, "commit", fail)
    yield planned
    event.remove(committing, "commit", fail)
