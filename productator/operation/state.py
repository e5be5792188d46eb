"""The state of the system: products and their ages, refreshers, hours, database; one sentence says the most.

One read of all of `refreshes` gives the figures of products. That takes about a second for a million, so
they are kept for a while, and longer if they took longer. What refreshers say of themselves is some seconds
old at most, however many products there are: an outage is seen at once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, case, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from productator.database import migrate
from productator.database.column_types import ServerTime
from productator.errors import DatabaseUnavailable
from productator.models import Product, Refresh
from productator.operation import heartbeats
from productator.operation.heartbeats import Hour, LivingRefresher

_MOST_FAILING = 20
_KEPT_S = 5.0
# Reading takes this part of the time at most.
_SHARE = 50
_LONGEST_WAIT_S = 2.0


@dataclass(frozen=True)
class ProductFigures:
    total: int
    # Refreshed within three periods; earlier; never.
    fresh: int
    stale: int
    without_offers: int
    pending: int
    failing: int
    due: int
    longest_wait_s: float
    oldest_offers_s: float | None


class FailingProduct(NamedTuple):
    product_id: int
    name: str
    failures: int
    last_error: str | None
    refreshed_at: datetime | None


@dataclass(frozen=True)
class DatabaseFacts:
    kind: str
    version: str
    schema: str | None
    expected_schema: str


class MeasuredProducts(NamedTuple):
    measured_at: datetime
    figures: ProductFigures
    most_failing: Sequence[FailingProduct]


class Programs(NamedTuple):
    """What refreshers and the database say of themselves, and when they were asked."""

    now: datetime
    refreshers: Sequence[LivingRefresher]
    hours: Sequence[Hour]
    database: DatabaseFacts


@dataclass(frozen=True)
class SystemState:
    now: datetime
    # When products were counted.
    measured_at: datetime
    products: ProductFigures
    # Those with most failures in a row.
    most_failing: Sequence[FailingProduct]
    refreshers: Sequence[LivingRefresher]
    hours: Sequence[Hour]
    database: DatabaseFacts

    @property
    def living(self) -> list[LivingRefresher]:
        return [each for each in self.refreshers if each.is_alive(now=self.now)]

    @property
    def down_since(self) -> datetime | None:
        """Since when no refresher gets answers from the Offers service; None: one does, or none runs."""
        return heartbeats.down_since(self.refreshers, now=self.now)

    @property
    def is_well(self) -> bool:
        return bool(self.living) and self.down_since is None and not self.products.stale


Value = TypeVar("Value")


class _Kept(Generic[Value]):
    """The last value that was read; one thread at a time reads a new one."""

    def __init__(self, kept_s: float, *, share: float = 0) -> None:
        self._kept_s = kept_s
        self._share = share
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._until = 0.0

    def get(self, read: Callable[[], Value]) -> Value:
        if not self._lock.acquire(timeout=0 if self._value else _LONGEST_WAIT_S):
            if self._value is None:
                raise DatabaseUnavailable
            return self._value
        try:
            began = time.monotonic()
            if self._value is None or began >= self._until:
                self._value = read()
                ended = time.monotonic()
                self._until = ended + max(self._kept_s, self._share * (ended - began))
            return self._value
        finally:
            self._lock.release()


class KeptState:
    def __init__(self, *, programs_kept_s: float = _KEPT_S) -> None:
        self._products: _Kept[MeasuredProducts] = _Kept(_KEPT_S, share=_SHARE)
        self._programs: _Kept[Programs] = _Kept(programs_kept_s)

    def get(
        self,
        connect: Callable[[], AbstractContextManager[Connection]],
        *,
        now: datetime,
        stale_after: timedelta,
    ) -> SystemState:
        def read_products() -> MeasuredProducts:
            with connect() as connection:
                return _products(connection, now=now, stale_after=stale_after)

        def read_programs() -> Programs:
            with connect() as connection:
                return _programs(connection, now=now)

        products = self._products.get(read_products)
        programs = self._programs.get(read_programs)
        return SystemState(
            now=programs.now,
            measured_at=products.measured_at,
            products=products.figures,
            most_failing=products.most_failing,
            refreshers=programs.refreshers,
            hours=programs.hours,
            database=programs.database,
        )


def _products(connection: Connection, *, now: datetime, stale_after: timedelta) -> MeasuredProducts:
    now = connection.scalar(select(ServerTime())) or now
    figures = _figures(connection, now=now, since=now - stale_after)
    return MeasuredProducts(now, figures, _most_failing(connection) if figures.failing else [])


def _programs(connection: Connection, *, now: datetime) -> Programs:
    now = connection.scalar(select(ServerTime())) or now
    return Programs(
        now=now,
        refreshers=heartbeats.read(connection),
        hours=heartbeats.hours(connection, now=now),
        database=_database(connection),
    )


def _figures(connection: Connection, *, now: datetime, since: datetime) -> ProductFigures:
    counted = connection.execute(
        select(
            func.count(),
            func.count(Refresh.refreshed_at),
            _number(Refresh.refreshed_at < since),
            _number(Refresh.pending),
            _number(Refresh.failures > 0),
            func.min(Refresh.refreshed_at),
        )
    ).one()
    total, with_offers, stale, pending, failing, oldest = counted
    # Both values of `pending` are named so that two short ranges of the index are read.
    due, first_due = connection.execute(
        select(func.count(), func.min(Refresh.due_at)).where(
            Refresh.pending.in_([False, True]), Refresh.due_at <= now
        )
    ).one()
    return ProductFigures(
        total=total,
        fresh=with_offers - stale,
        stale=stale,
        without_offers=total - with_offers,
        pending=pending,
        failing=failing,
        due=due,
        longest_wait_s=max(0.0, (now - first_due).total_seconds()) if first_due else 0.0,
        oldest_offers_s=max(0.0, (now - oldest).total_seconds()) if oldest else None,
    )


def _number(condition: ColumnElement[bool] | InstrumentedAttribute[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _most_failing(connection: Connection) -> list[FailingProduct]:
    query = (
        select(Refresh.product_id, Product.name, Refresh.failures, Refresh.last_error, Refresh.refreshed_at)
        .join(Product, Product.id == Refresh.product_id)
        .where(Refresh.failures > 0)
        .order_by(Refresh.failures.desc(), Refresh.product_id)
        .limit(_MOST_FAILING)
    )
    return [FailingProduct._make(row) for row in connection.execute(query)]


def _database(connection: Connection) -> DatabaseFacts:
    is_sqlite = connection.dialect.name == "sqlite"
    version = str(connection.scalar(text("SELECT sqlite_version()" if is_sqlite else "SELECT VERSION()")))
    kind = "SQLite" if is_sqlite else "MariaDB" if "mariadb" in version.lower() else "MySQL"
    return DatabaseFacts(kind, version, migrate.revision(connection), migrate.newest_revision())
