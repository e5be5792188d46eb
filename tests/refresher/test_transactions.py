"""Transactions on servers that fail in the middle of them."""

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import products
from productator.database.transactions import run_transaction
from productator.domain import NewProduct
from productator.models import Product
from tests.refresher.builders import NOW

pytestmark = pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)

DEADLOCK, LOCK_TIMEOUT, FAILED_COMMIT = 1213, 1205, 1180
READ_ONLY, READ_ONLY_TRANSACTION, READ_ONLY_MODE = 1290, 1792, 1836
NOT_READY, SHUTTING_DOWN = 1047, 1053


class FailingWork:
    """Creates a product, and then makes the server fail, `times` times."""

    def __init__(self, code: int, *, times: int) -> None:
        self._code = code
        self.left = times

    def __call__(self, session: Session) -> None:
        products.create(session, NewProduct("Lamp", ""), now=NOW)
        self.left -= 1
        if self.left >= 0:
            fail(session, self._code)


def fail(session: Session, code: int) -> None:
    session.execute(text(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}"))


def connection_of(session: Session) -> int:
    return session.scalar(text("SELECT connection_id()")) or 0


def count_products(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Product)) or 0


@pytest.mark.parametrize("code", [DEADLOCK, LOCK_TIMEOUT, FAILED_COMMIT, READ_ONLY, NOT_READY, SHUTTING_DOWN])
def test_a_transaction_that_fails_for_the_moment_is_repeated_as_a_whole(
    sessions: sessionmaker[Session], engine: Engine, code: int
) -> None:
    work = FailingWork(code, times=3)
    run_transaction(sessions, work)

    assert work.left < 0
    assert count_products(engine) == 1


@pytest.mark.parametrize("code", [READ_ONLY, READ_ONLY_TRANSACTION, READ_ONLY_MODE, NOT_READY, SHUTTING_DOWN])
def test_a_server_that_takes_no_writes_is_left(sessions: sessionmaker[Session], code: int) -> None:
    with sessions() as session:
        before = connection_of(session)
        with pytest.raises(DBAPIError):
            fail(session, code)
    with sessions() as session:
        assert connection_of(session) != before


def test_a_deadlock_costs_no_connection(sessions: sessionmaker[Session], engine: Engine) -> None:
    engine.dispose()  # with one connection in the pool, the next session gets it again
    with sessions() as session:
        before = connection_of(session)
        with pytest.raises(DBAPIError):
            fail(session, DEADLOCK)
    with sessions() as session:
        assert connection_of(session) == before
