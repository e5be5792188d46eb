"""The web application's database, not its pages: sessions to write, statements to read, retries of views."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

from flask import Flask, current_app, g, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, ExceptionContext, Transaction, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from productator.database import engine
from productator.database.base import Base
from productator.database.failures import is_transient, is_unreachable, kind_of, why_nothing_is_stored
from productator.database.kept import KeptConnections
from productator.database.replica import Replica, ReplicaMetrics, forbid_writes
from productator.database.slow_statements import log_slow_statements
from productator.database.use import WAITED_S, DatabaseMetrics, DatabaseUse, bound
from productator.errors import CommitUnknown

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

db = SQLAlchemy(model_class=Base)

_EXTENSION = "productator-database"
_READER = "reader"
# What is left of the budget after a failure of the replica is for the primary.
_REPLICA_ANSWERS_WITHIN_S = 1
_ATTEMPTS = 4


@dataclass
class Database:
    """What the requests of this process share."""

    use: DatabaseUse
    # Every statement on them is a transaction of its own.
    readers: KeptConnections
    writers: KeptConnections
    # Whether the database refused to store something, and has stored nothing large since.
    have_writes_failed: bool = False
    # None: all reads go to the primary.
    replica: Replica | None = None
    # What happens before each transaction of a request that has a replica.
    before_write: Callable[[], None] | None = None


def init_app(
    app: Flask, url: str, *, budget_s: float, places: int, slow_statement_ms: int, metrics: DatabaseMetrics
) -> None:
    """A request may use the database for `budget_s`, and so many requests at the same time."""
    # Flask-SQLAlchemy would look for a relative path elsewhere than all other programs.
    url = engine.absolute(url)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    # A request that has a place finds a connection in the pool.
    options = {} if make_url(url).database is None else {"pool_size": places, "max_overflow": 1}
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine.engine_options(url) | options
    app.config["SQLALCHEMY_BINDS"] = {_READER: {"url": url, **engine.autocommit_options(url), **options}}
    use = DatabaseUse(budget_s=budget_s, places=places, metrics=metrics)
    app.before_request(lambda: use.begin_request(request.environ.get(WAITED_S, 0.0)))
    db.init_app(app)
    # Requests use no session of the extension, so there is none to end after each.
    app.teardown_appcontext_funcs.remove(db._teardown_session)  # noqa: SLF001 - it has no other way
    with app.app_context():
        # Its listener changes the limits of a new connection, which that of `prepare` then opens.
        for each in db.engines.values():
            bound(each, use)
        engine.prepare(db.engine)
        engine.prepare(db.engines[_READER], autocommit=True)
        for each in db.engines.values():
            _watch(each, slow_statement_ms, metrics)
        app.extensions[_EXTENSION] = Database(
            use, readers=KeptConnections(db.engines[_READER]), writers=KeptConnections(db.engine)
        )


def _watch(watched: Engine, slow_statement_ms: int, metrics: DatabaseMetrics) -> None:
    """Logs slow statements, and counts errors, also those that a retry makes up for."""
    log_slow_statements(watched, longer_than_ms=slow_statement_ms)

    @event.listens_for(watched, "handle_error")
    def count(failure: ExceptionContext) -> None:
        if isinstance(failure.sqlalchemy_exception, DBAPIError):
            metrics.count_database_error(kind_of(failure.sqlalchemy_exception))


def use_replica(
    app: Flask, url: str, *, most_lag_s: float, slow_statement_ms: int, metrics: ReplicaMetrics
) -> Replica:
    """Call this after `init_app`; then requests may call `read_from_replica`."""
    with app.app_context():
        here = database()
        replica_engine = create_engine(
            url, **engine.autocommit_options(url), pool_size=here.use.places, max_overflow=1
        )
        bound(replica_engine, here.use, most_s=_REPLICA_ANSWERS_WITHIN_S)
        engine.prepare(replica_engine, autocommit=True)
        forbid_writes(replica_engine)
        _watch(replica_engine, slow_statement_ms, metrics)
        primary_url = db.engine.url.render_as_string(hide_password=False)
        here.replica = Replica(
            replica_engine,
            primary_url=primary_url,
            most_lag_s=most_lag_s,
            # One place is left for reads of the primary, however long those of the replica wait.
            most_reads=here.use.places - 1,
            metrics=metrics,
        )
        return here.replica


def read_from_replica() -> None:
    """Lets this request read from the replica, until that fails."""
    g.reads_replica = True


def _leaves_replica() -> bool:
    """Whether what has failed was reading from the replica; the rest of the request uses the primary."""
    here = database()
    if here.replica is None or not g.pop("reads_replica", False):
        return False
    here.replica.distrust()
    here.replica.metrics.count_replica_read("failed")
    return True


def database() -> Database:
    found: Database = current_app.extensions[_EXTENSION]
    return found


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose connection is in a transaction; commits at the end, or undoes everything."""
    here = database()
    if here.before_write is not None:
        here.before_write()
    with here.use.place("write"):
        kept = here.writers.take()
        try:
            begun = kept.connection.begin()
            session = _OneConnection(kept.connection)
            yield session
            session.flush()
            session.close()
            _commit(begun)
        except BaseException as error:
            if isinstance(error, DBAPIError) and why_nothing_is_stored(error):
                here.have_writes_failed = True
            here.writers.discard(kept)
            raise
        here.writers.give_back(kept)


class _OneConnection(Session):
    """A session of a connection: others look for theirs, and prepare it, each time they are asked for it.

    So it does not know the transaction, which only `transaction` ends.
    """

    bind: Connection

    def connection(self, *_: object, **__: object) -> Connection:
        return self.bind

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise InvalidRequestError("This session cannot begin or end a transaction.")

    begin_nested = commit = rollback = _refuse


def _commit(transaction: Transaction) -> None:
    try:
        transaction.commit()
    except DBAPIError as error:
        # A retry could repeat a commit that succeeded, so the client has to decide.
        if error.connection_invalidated:
            raise CommitUnknown from error
        raise


def readers() -> KeptConnections:
    """Connections on which every statement is a transaction of its own."""
    return database().readers


class reading:  # noqa: N801 - it is used like the functions beside it
    """A connection for single SELECTs: each sees the newest committed state."""

    def __enter__(self) -> Connection:
        here = database()
        self._use, self._replica = here.use, None
        self._has_place = here.use.enter("read")
        try:
            self._replica = _replica_of_request(here)
            self._readers = here.readers if self._replica is None else self._replica.readers
            self._kept = self._readers.take()
        except BaseException:
            self._leave()
            raise
        return self._kept.connection

    def __exit__(self, *_: object) -> None:
        try:
            self._readers.give_back(self._kept)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._replica is not None:
            self._replica.leave()
        if self._has_place:
            self._use.leave("read")


def _replica_of_request(here: Database) -> Replica | None:
    """If this request may read from it. Once it could not, the rest of it uses the primary."""
    if here.replica is None or "reads_replica" not in g:
        return None
    if here.replica.enter():
        return here.replica
    del g.reads_replica
    here.replica.metrics.count_replica_read("busy")
    return None


@contextmanager
def reading_one_state() -> Iterator[Connection]:
    """A connection for several SELECTs that all see the state at the first one."""
    with reading() as connection:
        engine.begin_snapshot(connection)
        try:
            yield connection
        finally:
            # The pool gets the connection back without a transaction.
            if not connection.invalidated:
                connection.exec_driver_sql("ROLLBACK")


def retried(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Runs the work again as a whole when the database rolled it back (deadlock, lost connection)."""

    @wraps(work)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for _ in range(_ATTEMPTS - 1):
            try:
                return work(*args, **kwargs)
            except StaleDataError:
                continue  # another node of a cluster changed the row since we read it
            except DBAPIError as error:
                is_over = not database().use.has_time
                if is_over or not (_leaves_replica() or _may_pass(error)):
                    raise
        return work(*args, **kwargs)

    return run


def _may_pass(error: DBAPIError) -> bool:
    """Whether a retry at once may succeed: the server was reached, and its disk is not full."""
    stays = is_unreachable(error) or (why_nothing_is_stored(error) and not error.connection_invalidated)
    return is_transient(error) and not stays
