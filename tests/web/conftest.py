"""Rows that most tests of the pages begin with."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from tests import factories
from tests.servers import dispose_of


@pytest.fixture
def product(client: FlaskClient) -> dict[str, Any]:
    return factories.posted_product(client)


@pytest.fixture
def offer(client: FlaskClient, product: dict[str, Any]) -> dict[str, Any]:
    """An own offer of the product."""
    return factories.posted_offer(client, product["id"])


@pytest.fixture
def guarded(database_url: str) -> Iterator[Callable[..., FlaskClient]]:
    """Makes a client of an application of its own, with this mode of access control: `guarded("write")`."""
    apps = []

    def make(mode: str, **settings: Any) -> FlaskClient:
        apps.append(create_app(factories.settings(database_url=database_url, auth=mode, **settings)))
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)
