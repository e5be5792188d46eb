"""How many round trips the most common writes need."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.round_trips import commands
from tests.servers import dispose_of

pytestmark = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)


@pytest.fixture(autouse=True)
def _one_connection(app: Flask) -> None:
    """The pools hold the connections of all tests, and replace old ones in the middle of a test."""
    dispose_of(app)


def test_a_product_is_created_in_three_round_trips(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.posted_product(client)
    sent = commands(monkeypatch)

    factories.posted_product(client)

    assert [each.split()[0] for each in sent] == ["INSERT", "INSERT", "COMMIT"]


def test_an_own_offer_is_created_in_ten_round_trips(
    client: FlaskClient, product: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.posted_offer(client, product["id"])
    sent = commands(monkeypatch)

    factories.posted_offer(client, product["id"])

    assert len(sent) <= 10, sent
    assert sent.count("COMMIT") == 1
    assert "ROLLBACK" not in sent
