"""The web application's database: sessions for writing, single statements for reading."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from productator.database import engine
from productator.database.base import Base
from productator.database.failures import is_transient, is_unreachable
from productator.errors import CommitUnknown

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

db = SQLAlchemy(model_class=Base)

_READER = "reader"
_ATTEMPTS = 4


def init_app(app: Flask, url: str) -> None:
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine.engine_options(url)
    app.config["SQLALCHEMY_BINDS"] = {_READER: {"url": url, **engine.autocommit_options(url)}}
    db.init_app(app)
    with app.app_context():
        engine.prepare(db.engine)
        engine.prepare(db.engines[_READER], autocommit=True)


@contextmanager
def transaction() -> Iterator[Session]:
    session = db.session()
    try:
        yield session
        session.flush()
        _commit(session)
    except BaseException:
        session.rollback()
        raise


def _commit(session: Session) -> None:
    try:
        session.commit()
    except DBAPIError as error:
        # Running the work again could do it twice, so only the caller can decide what to do.
        if error.connection_invalidated:
            raise CommitUnknown from error
        raise


def reader() -> Engine:
    """Where every statement is a transaction of its own."""
    return db.engines[_READER]


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection for single SELECTs: each sees a state of its own."""
    with reader().connect() as connection:
        yield connection


@contextmanager
def reading_one_state() -> Iterator[Connection]:
    """A connection for several SELECTs that all see the database as it is at the first."""
    with reading() as connection:
        engine.begin_snapshot(connection)
        try:
            yield connection
        finally:
            # Whatever the pool gets back begins anew.
            if not connection.invalidated:
                connection.exec_driver_sql("ROLLBACK")


def retried(view: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Runs a view again as a whole when the database rolled back (deadlock, lost connection)."""

    @wraps(view)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for _ in range(_ATTEMPTS - 1):
            try:
                return view(*args, **kwargs)
            except StaleDataError:
                continue  # changed by another node of a cluster since it was read
            except DBAPIError as error:
                # Who has waited for a connection in vain is not made to wait for the next one.
                if not is_transient(error) or is_unreachable(error):
                    raise
        return view(*args, **kwargs)

    return run
