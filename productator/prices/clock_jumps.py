"""Records of a time that has not come yet: a clock was ahead when they were written, and was set right.

Until then no figure would show them, while the offers are those that they speak of. So they are moved to now.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, func, literal_column, select, update
from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows
from productator.database.column_types import ServerTime
from productator.database.prepared import Prepared
from productator.domain import utc_now
from productator.models import ProductPrice, Refresh
from productator.prices import day_figures
from productator.prices.history_tables import (
    CHANGE_COLUMNS,
    CHANGES,
    POINT_COLUMNS,
    POINTS,
    recorded_since,
)

log = logging.getLogger(__name__)

TICK = timedelta(microseconds=1)
# The clocks of healthy machines differ by less.
CLOCKS_DIFFER = timedelta(seconds=2)

_REFRESHES = cast("Table", Refresh.__table__)
_PRICES = cast("Table", ProductPrice.__table__)
_SERVER_TIME = Prepared(select(ServerTime()))
# A clock that shows less was reset: it is behind, and no record is ahead.
_NO_CLOCK_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
# Some hundredths of a second's work.
_PRODUCTS_A_STEP = 1_000
_MOVED_A_STEP = 50


class Clocks(NamedTuple):
    """What our clock and the database server's say, the one that is behind first."""

    earliest: datetime
    latest: datetime

    @property
    def future(self) -> datetime:
        """The latest time that a record can have unless a clock was ahead."""
        return self.latest + CLOCKS_DIFFER if self.latest > _NO_CLOCK_BEFORE else _NEVER

    @classmethod
    def with_server(cls, server_time: datetime | None) -> "Clocks":
        """None: SQLite, which has no other clock."""
        ours = utc_now()
        servers = server_time or ours
        return cls(min(ours, servers), max(ours, servers))


class _History(NamedTuple):
    """A table of records; `columns` are those with `names`: the product, the time, and what was recorded."""

    time: Column[datetime]
    names: Sequence[str]
    columns: Sequence[ColumnElement[Any]]

    @property
    def table(self) -> Table:
        return self.time.table


_HISTORIES = (
    _History(CHANGES.c.changed_at, CHANGE_COLUMNS, [CHANGES.c[name] for name in CHANGE_COLUMNS]),
    _History(
        POINTS.c.starts_at,
        POINT_COLUMNS,
        # A rolled-up record becomes a raw one: it would no longer begin at a whole hour or day.
        [literal_column("0") if name == "resolution_s" else POINTS.c[name] for name in POINT_COLUMNS],
    ),
)


def clocks(session: Session) -> Clocks:
    ((server_time,),) = _SERVER_TIME.rows(session.connection(), {})
    return Clocks.with_server(server_time)


def move_some_to_now(session: Session, *, after: int) -> int:
    """Looks at some products after that one; returns the last of them, or 0 if these were the last of all."""
    following = select(_REFRESHES.c.product_id).where(_REFRESHES.c.product_id > after)
    query = following.order_by(_REFRESHES.c.product_id).limit(_PRODUCTS_A_STEP)
    product_ids = session.connection().scalars(query).all()
    if not product_ids:
        return 0
    now = clocks(session)
    found = recorded_since(session.connection(), now.future, product_ids).latest
    ahead = sorted({product_id for product_id, _ in found})[:_MOVED_A_STEP]
    if ahead:
        # As everybody does who changes a product's offers: a cluster refuses one of two such commits.
        session.connection().execute(
            update(_REFRESHES)
            .where(_REFRESHES.c.product_id.in_(ahead))
            .values(own_writes=_REFRESHES.c.own_writes + 1)
        )
        move_to_now(session, ahead, now)
    if len(ahead) == _MOVED_A_STEP:
        return ahead[-1]
    return product_ids[-1] if len(product_ids) == _PRODUCTS_A_STEP else 0


def move_to_now(session: Session, product_ids: Iterable[int], now: Clocks) -> dict[int, datetime]:
    """Moves the products' records that are ahead of all clocks; returns each product's latest time then.

    The caller has locked the products' `refreshes` rows.
    """
    connection = session.connection()
    moved = {product_id: _move(connection, product_id, now) for product_id in product_ids}
    latest = {product_id: time for product_id, time in moved.items() if time is not None}
    if latest:
        log.warning(
            "prices of a time to come were moved to now, as if a clock had been ahead",
            extra={"products": len(latest), "for_example": min(latest)},
        )
    return latest


def _move(connection: Connection, product_id: int, now: Clocks) -> datetime | None:
    found = []
    right = []
    for history in _HISTORIES:
        of_product = history.table.c.product_id == product_id
        is_ahead = of_product & (history.time > now.future)
        found.append((history, is_ahead, connection.execute(select(*history.columns).where(is_ahead)).all()))
        right.append(
            connection.scalar(select(func.max(history.time)).where(of_product, history.time <= now.future))
        )
    old = sorted({time for _, _, rows in found for _, time, *_ in rows})
    if not old:
        # Another worker has moved them.
        return None
    new = new_times(old, after=max(filter(None, right), default=None), now=now.earliest)
    day_figures.drop(connection, [product_id], since=min(new.values()) - timedelta(days=1), until=old[-1])
    for history, is_ahead, rows in found:
        connection.execute(delete(history.table).where(is_ahead))
        moved = [(product_id, new[time], *recorded) for _, time, *recorded in rows]
        insert_rows(connection, history.table, history.names, moved)
    _move_last_change(connection, product_id, new, now)
    return new[old[-1]]


def _move_last_change(
    connection: Connection, product_id: int, new: Mapping[datetime, datetime], now: Clocks
) -> None:
    """Else the product would stay before all that change later, wherever changes are listed."""
    is_ahead = (_PRICES.c.product_id == product_id) & (_PRICES.c.changed_at > now.future)
    changed_at = connection.scalar(select(_PRICES.c.changed_at).where(is_ahead))
    if changed_at is not None:
        moved = new.get(changed_at, max(new.values()))
        connection.execute(update(_PRICES).where(is_ahead).values(changed_at=moved))


def new_times(old: Sequence[datetime], *, after: datetime | None, now: datetime) -> dict[datetime, datetime]:
    """For each of the times, in order, one until now: as far apart as they were where there is room.

    All are later than `after`, the time of the last record that is right.
    """
    new: dict[datetime, datetime] = {}
    earliest = after + TICK if after else None
    for time in old:
        moved = now - (old[-1] - time)
        new[time] = max(moved, earliest) if earliest else moved
        earliest = new[time] + TICK
    return new
