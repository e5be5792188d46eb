"""The key that signs cursors: random, made once, and the same in all programs on a database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from productator import cli
from productator.access import installation_keys
from productator.app import create_app
from productator.database import engine as engines
from productator.models import InstallationKey
from tests import factories
from tests.api.checks import PRODUCTS
from tests.servers import dispose_of, url_of

NewClient = Callable[..., FlaskClient]


@pytest.fixture
def new_client(database_url: str) -> Iterator[NewClient]:
    """Makes a client of an application of its own, without a key unless one is given."""
    apps = []

    def make(**settings: Any) -> FlaskClient:
        apps.append(
            create_app(factories.settings(database_url=database_url, **{"secret_key": None} | settings))
        )
        return apps[-1].test_client()

    yield make
    for app in apps:
        dispose_of(app)


@pytest.fixture
def reader(engine: Engine) -> Iterator[Engine]:
    """An engine on which every statement is a transaction of its own, as in the API."""
    url = url_of(engine)
    reader = create_engine(url, **engines.autocommit_options(url))
    engines.prepare(reader, autocommit=True)
    yield reader
    reader.dispose()


@pytest.fixture
def two_products(sessions: sessionmaker[Session]) -> list[int]:
    return [factories.stored_product(sessions) for _ in range(2)]


def stored(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(InstallationKey.secret)))


def next_page(client: FlaskClient) -> str:
    address: str = client.get(f"{PRODUCTS}?limit=1").get_json()["next"]
    return address


def ids(client: FlaskClient, address: str) -> list[int]:
    return [product["id"] for product in client.get(address).get_json()["items"]]


def test_a_cursor_of_one_api_is_good_for_another(new_client: NewClient, two_products: list[int]) -> None:
    address = next_page(new_client())

    assert ids(new_client(), address) == two_products[1:]


def test_the_key_is_made_once(new_client: NewClient, engine: Engine, two_products: list[int]) -> None:
    next_page(new_client())
    first = stored(engine)
    next_page(new_client())

    assert stored(engine) == first
    assert [len(each) for each in first] == [64]


def test_a_key_that_is_given_wins(new_client: NewClient, engine: Engine, two_products: list[int]) -> None:
    next_page(new_client())
    address = next_page(new_client(secret_key="given"))

    assert ids(new_client(secret_key="given"), address) == two_products[1:]
    assert new_client().get(address).status_code == 400


def test_with_a_given_key_none_is_made(
    new_client: NewClient, engine: Engine, two_products: list[int]
) -> None:
    next_page(new_client(secret_key="given"))

    assert stored(engine) == []


def test_the_migration_makes_the_key_so_that_no_read_has_to(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = engines.make_engine(empty_database_url)

    for _ in range(2):
        result = CliRunner().invoke(cli.main, ["migrate"], env={"DATABASE_URL": empty_database_url})
        assert result.exit_code == 0, result.output

    assert [len(each) for each in stored(engine)] == [64]
    engine.dispose()


def test_of_many_programs_that_make_the_key_at_once_all_get_the_same(reader: Engine) -> None:
    start = Barrier(8)

    def find(_: int) -> str:
        with reader.connect() as connection:
            start.wait()
            return installation_keys.find_or_make(connection, installation_keys.CURSORS)

    with ThreadPoolExecutor(8) as executor:
        found = set(executor.map(find, range(8)))

    assert list(found) == stored(reader)


def test_each_database_has_a_key_of_its_own(reader: Engine) -> None:
    with reader.connect() as connection:
        first, second = (installation_keys.find_or_make(connection, name) for name in ("first", "second"))

    assert first != second
