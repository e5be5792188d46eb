"""Keeps and reads the figures of finished days, of products with very many records a day.

A row saves reading the records of its day; without it they are read, and the answer is the same. A row is not
used once its records may have changed, whichever version has changed them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, bindparam, delete, func, or_, select
from sqlalchemy.orm import Session

from productator.database.bulk import replace_rows
from productator.database.column_types import UtcDateTime
from productator.database.prepared import Prepared
from productator.models import DayFigures, PricePoint, Product, Refresh, RetentionProgress
from productator.prices import packing, records
from productator.prices.buckets import HistoryPoint, history_of
from productator.prices.segments import DAY, EPOCH, LowestPrice, TimeRange, microseconds, time_of
from productator.prices.trend import PriceAt, TrendPart, part_of

# Of fewer records, more time is lost by another read than by reading them.
FEWEST_RECORDS = 500
# Clocks differ, and what was fetched before midnight is stored after it.
_FINISHED_AFTER = timedelta(minutes=15)
# What is older is rolled up, as a rule; an upgrade need not look at more.
_DAYS_BACK = 31
_PRODUCTS_A_STEP = 50
_PROGRESS = "figures"
# These change the records of whole days.
_SHORTENING = ("hours", "days", "points")
_MOST_RANGES = 64

_FIGURES = cast("Table", DayFigures.__table__)
_NAMES = ("product_id", "starts_at", "last_point_at", "trend", "times", "hours")
_START, _LAST_START = (bindparam(name, type_=UtcDateTime) for name in ("start", "last_start"))
_SHORTENED_UNTIL = select(func.max(RetentionProgress.done_until)).where(
    RetentionProgress.name.in_(_SHORTENING)
)
_DAYS = (
    select(
        DayFigures.starts_at, DayFigures.last_point_at, DayFigures.trend, DayFigures.times, DayFigures.hours
    )
    .join(
        PricePoint,
        and_(
            PricePoint.product_id == DayFigures.product_id,
            PricePoint.starts_at == DayFigures.last_point_at,
            PricePoint.resolution_s == 0,
        ),
    )
    .where(
        DayFigures.product_id == bindparam("product_id"),
        DayFigures.starts_at.between(_START, _LAST_START),
        # The day that begins there may be half done.
        DayFigures.starts_at > func.coalesce(_SHORTENED_UNTIL.scalar_subquery(), EPOCH),
    )
    .order_by(DayFigures.starts_at)
)


class StoredDay(NamedTuple):
    """The figures of one day, which begins and ends at midnight."""

    start: int
    trend: TrendPart
    packed_hours: str

    @property
    def end(self) -> int:
        return self.start + DAY

    @property
    def hours(self) -> list[HistoryPoint]:
        return packing.unpacked_hours(self.packed_hours)

    @property
    def lowest(self) -> PriceAt | None:
        return self.trend.stocked.lowest if self.trend.stocked else None


def read(connection: Connection, product_id: int, within: TimeRange) -> list[StoredDay]:
    """The days in the range that have figures, oldest first."""
    if within.end - within.start < DAY:
        return []
    parameters = {
        "product_id": product_id,
        "start": time_of(within.start),
        "last_start": time_of(within.end - DAY),
    }
    rows = connection.execute(_DAYS, parameters).all()
    changed = _changed_days(connection, product_id, rows)
    return [
        StoredDay(microseconds(starts_at), packing.unpacked_trend(trend, times), hours)
        for starts_at, _, trend, times, hours in rows
        if starts_at not in changed
    ]


def pieces(within: TimeRange, days: Sequence[StoredDay]) -> Iterator[StoredDay | TimeRange]:
    """The range as those of the days that lie in it, and the times between them."""
    since = within.start
    for day in days:
        if day.start < since or day.end > within.end:
            continue
        if since < day.start:
            yield TimeRange(since, day.start)
        yield day
        since = day.end
    if since < within.end or since == within.start:
        yield TimeRange(since, within.end)


def _changed_days(connection: Connection, product_id: int, rows: Sequence[Any]) -> set[datetime]:
    """The days in which a record begins after the one that was the last when the figures were kept."""
    found: set[datetime] = set()
    ranges = iter([(row.last_point_at, row.starts_at + timedelta(days=1)) for row in rows])
    while some := list(islice(ranges, _MOST_RANGES)):
        # Few statements, however many days: each is built once.
        count = 1 << (len(some) - 1).bit_length()
        some += some[-1:] * (count - len(some))
        values: dict[str, Any] = {"product_id": product_id}
        for number, (after, until) in enumerate(some):
            values |= {f"after_{number}": after, f"until_{number}": until}
        found |= {_midnight(starts_at) for (starts_at,) in _records_in(count).rows(connection, values)}
    return found


@cache
def _records_in(count: int) -> Prepared:
    """Records that begin in one of so many ranges. Two ends each: a join would read all of the product's."""
    ranges = [
        and_(
            PricePoint.starts_at > bindparam(f"after_{number}", type_=UtcDateTime),
            PricePoint.starts_at < bindparam(f"until_{number}", type_=UtcDateTime),
        )
        for number in range(count)
    ]
    query: Select[Any] = select(PricePoint.starts_at)
    return Prepared(query.where(PricePoint.product_id == bindparam("product_id"), or_(*ranges)))


def keep_some(session: Session, *, now: datetime) -> bool:
    """Keeps figures of a day that is finished, of some products; returns whether there was anything to do.

    Fails at once while another worker is at it, or shortens the history.
    """
    done = _locked_progress(session, now=now)
    if done is None:
        return False
    if done.done_until > now:
        # A clock was ahead.
        done.done_until, done.product_id = _midnight(now), 0
    if done.done_until + timedelta(days=1) > now - _FINISHED_AFTER:
        return False
    following = select(Refresh.product_id).where(Refresh.product_id > done.product_id)
    product_ids = session.scalars(following.order_by(Refresh.product_id).limit(_PRODUCTS_A_STEP)).all()
    if product_ids:
        done.product_id = _keep_day(session, product_ids, done.done_until)
    else:
        done.done_until, done.product_id = done.done_until + timedelta(days=1), 0
    return True


def drop(connection: Connection, product_ids: Sequence[int], *, since: datetime, until: datetime) -> None:
    """Of the days that begin from one time to the other, since their records change."""
    in_time = _FIGURES.c.starts_at.between(since, until)
    connection.execute(delete(_FIGURES).where(_FIGURES.c.product_id.in_(product_ids), in_time))


def _locked_progress(session: Session, *, now: datetime) -> RetentionProgress | None:
    query = select(RetentionProgress).order_by(RetentionProgress.name).with_for_update(nowait=True)
    found = {each.name: each for each in session.scalars(query)}
    if not found:
        # The retention writes the first rows.
        return None
    if _PROGRESS not in found:
        oldest = session.scalar(select(func.min(Product.created_at))) or now
        since = _midnight(max(oldest, now - timedelta(days=_DAYS_BACK)))
        found[_PROGRESS] = RetentionProgress(name=_PROGRESS, done_until=since, product_id=0)
        session.add(found[_PROGRESS])
    return found[_PROGRESS]


def _keep_day(session: Session, product_ids: Sequence[int], day: datetime) -> int:
    """Returns the last product that is done: one with very many records is enough for a step."""
    query = (
        select(PricePoint.product_id)
        .where(PricePoint.product_id.in_(product_ids), *_in_day(day))
        .group_by(PricePoint.product_id)
        .having(func.count() >= FEWEST_RECORDS)
        .order_by(PricePoint.product_id)
    )
    product_id = session.scalars(query.limit(1)).first()
    if product_id is None:
        return product_ids[-1]
    keep(session.connection(), product_id, day)
    return product_id


def keep(connection: Connection, product_id: int, day: datetime) -> None:
    """Writes the figures of a day, unless its beginning is not known: an hour would not be a whole one."""
    # Before the records are read: one that is written meanwhile makes the row invalid.
    last_point_at = connection.scalar(
        select(func.max(PricePoint.starts_at)).where(PricePoint.product_id == product_id, *_in_day(day))
    )
    within = TimeRange(microseconds(day), microseconds(day) + DAY)
    segments = list(records.segments(connection, product_id, within))
    trend = part_of(LowestPrice(*segment[:6]) for segment in segments)
    if last_point_at is None or trend is None or trend.start > within.start:
        return
    figures = (
        packing.packed_trend(trend),
        packing.packed_times(trend),
        packing.packed_hours(history_of(iter(segments), within.end, "hour").points),
    )
    replace_rows(connection, _FIGURES, _NAMES, [(product_id, day, last_point_at, *figures)])


def _in_day(day: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return PricePoint.starts_at >= day, PricePoint.starts_at < day + timedelta(days=1)


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
