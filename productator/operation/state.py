"""The state of the system: products and their ages, refreshers, hours, database; one sentence says the most.

One read of all of `refreshes` gives the figures of products. That takes about a second for a million, so
the state is kept for a while, and longer if it took longer.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

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


@dataclass(frozen=True)
class SystemState:
    measured_at: datetime
    products: ProductFigures
    # Those with most failures in a row.
    most_failing: Sequence[FailingProduct]
    refreshers: Sequence[LivingRefresher]
    hours: Sequence[Hour]
    database: DatabaseFacts

    @property
    def living(self) -> list[LivingRefresher]:
        return [each for each in self.refreshers if each.is_alive(now=self.measured_at)]

    @property
    def down_since(self) -> datetime | None:
        """Since when no refresher gets answers from the Offers service; None: one does, or none runs."""
        since = [each.down_since for each in self.living]
        return min((each for each in since if each), default=None) if since and all(since) else None

    @property
    def is_well(self) -> bool:
        return bool(self.living) and self.down_since is None and not self.products.stale


class KeptState:
    """The last state that was read; one thread at a time reads a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: SystemState | None = None
        self._until = 0.0

    def get(self, read: Callable[[], SystemState]) -> SystemState:
        if not self._lock.acquire(timeout=0 if self._state else _LONGEST_WAIT_S):
            if self._state is None:
                raise DatabaseUnavailable
            return self._state
        try:
            began = time.monotonic()
            if self._state is None or began >= self._until:
                self._state = read()
                ended = time.monotonic()
                self._until = ended + max(_KEPT_S, _SHARE * (ended - began))
            return self._state
        finally:
            self._lock.release()


def read(connection: Connection, *, now: datetime, stale_after: timedelta) -> SystemState:
    now = connection.scalar(select(ServerTime())) or now
    figures = _figures(connection, now=now, since=now - stale_after)
    return SystemState(
        measured_at=now,
        products=figures,
        most_failing=_most_failing(connection) if figures.failing else [],
        refreshers=heartbeats.read(connection),
        hours=heartbeats.hours(connection, now=now),
        database=_database(connection),
    )


def _figures(connection: Connection, *, now: datetime, since: datetime) -> ProductFigures:
    counted = connection.execute(
        select(
            func.count(),
            _number(Refresh.refreshed_at >= since),
            _number(Refresh.refreshed_at < since),
            _number(Refresh.pending),
            _number(Refresh.failures > 0),
            _number(Refresh.due_at <= now),
            func.min(Refresh.due_at),
            func.min(Refresh.refreshed_at),
        )
    ).one()
    total, fresh, stale, pending, failing, due, first_due, oldest = counted
    return ProductFigures(
        total=total,
        fresh=fresh,
        stale=stale,
        without_offers=total - fresh - stale,
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
