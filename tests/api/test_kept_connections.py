"""Connections that are kept between reads, and between writes."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from productator.catalogue import products
from productator.database import engine as engines
from productator.database import kept
from productator.database.kept import KeptConnections
from productator.database.web import transaction
from productator.domain import NewProduct, utc_now
from productator.models import Product
from tests.servers import url_of

on_servers = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)


@pytest.fixture
def connections(engine: Engine) -> Iterator[KeptConnections]:
    own = create_engine(url_of(engine), **engines.autocommit_options(url_of(engine)))
    engines.prepare(own, autocommit=True)
    connections = KeptConnections(own)
    yield connections
    connections.close()
    assert own.pool.checkedout() == 0  # type: ignore[attr-defined]
    own.dispose()


def test_one_read_after_another_takes_the_same_connection(connections: KeptConnections) -> None:
    with connections.connect() as first:
        assert first.scalar(text("SELECT 1")) == 1
    with connections.connect() as second:
        assert second is first
        assert not second.in_transaction()


def test_reads_at_the_same_time_have_connections_of_their_own(connections: KeptConnections) -> None:
    with connections.connect() as one, connections.connect() as other:
        assert one is not other


def test_a_connection_is_not_kept_for_longer_than_servers_and_proxies_do(
    connections: KeptConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "KEPT_S", 0)
    with connections.connect() as first:
        pass

    with connections.connect() as second:
        assert first.closed
        assert second.scalar(text("SELECT 1")) == 1


@on_servers
def test_when_one_is_lost_none_of_the_others_is_taken_again(
    connections: KeptConnections, engine: Engine
) -> None:
    with connections.connect() as lost, connections.connect() as idle:
        number = lost.scalar(text("SELECT CONNECTION_ID()"))
    with engine.connect() as killer:
        killer.execute(text(f"KILL {number}"))

    # The one that was given back last, which is the one that was taken first.
    with connections.connect() as taken:
        assert taken is lost
        with pytest.raises(DBAPIError):
            taken.execute(text("SELECT 1"))

    assert idle.closed
    assert lost.closed
    with connections.connect() as fresh:
        assert fresh.scalar(text("SELECT 1")) == 1


def test_one_write_after_another_takes_the_same_connection(app: Flask) -> None:
    with app.app_context():
        with transaction() as first:
            products.create(first, NewProduct("Kettle", ""), now=utc_now())
        with transaction() as second:
            assert second.connection() is first.connection()
            assert products.count(second) == 1


def test_a_write_that_fails_is_undone_and_holds_nothing_up(app: Flask) -> None:
    def fail() -> None:
        with transaction() as session:
            products.create(session, NewProduct("Kettle", ""), now=utc_now())
            raise ValueError

    with app.app_context():
        with pytest.raises(ValueError):  # noqa: PT011 - ours, which has no text
            fail()

        with transaction() as session:
            assert products.count(session) == 0
            products.create(session, NewProduct("Toaster", ""), now=utc_now())


def test_what_a_write_read_stays_readable_after_it(app: Flask) -> None:
    with app.app_context():
        with transaction() as session:
            row = products.create(session, NewProduct("Kettle", ""), now=utc_now())
        with transaction() as session:
            product = session.get_one(Product, row.id)
        assert product.name == "Kettle"
        assert product not in session


@pytest.mark.parametrize("name", ["begin_nested", "commit", "rollback"])
def test_only_the_end_of_the_block_ends_its_transaction(app: Flask, name: str) -> None:
    with app.app_context(), pytest.raises(InvalidRequestError), transaction() as session:
        getattr(session, name)()
