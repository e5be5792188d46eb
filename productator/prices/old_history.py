"""Rolls up or deletes a day of old history; what was still valid when the day ended is never deleted.

Each function takes some products and the start of the day, does about a thousand rows' work, and returns the
last product that is done.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, or_, select, union_all
from sqlalchemy.orm import Session

from productator.domain import ChangeKind
from productator.models import OfferChange, PricePoint
from productator.prices import day_figures
from productator.prices.records import IS_UNBROKEN
from productator.prices.rollup import FEWEST, StoredPoint, roll_up
from productator.prices.segments import EPOCH

DAY = timedelta(days=1)
# Some hundredths of a second's work.
_ROWS_A_STEP = 1_000
_CONDITIONS_A_STATEMENT = 100

_POINTS = cast("Table", PricePoint.__table__)
_CHANGES = cast("Table", OfferChange.__table__)
# Each row holds the product and the fields of a `StoredPoint`.
_STORED_POINTS = select(
    _POINTS.c.product_id,
    *(IS_UNBROKEN.label(name) if name == "is_unbroken" else _POINTS.c[name] for name in StoredPoint._fields),
)


def roll_up_day(resolution: timedelta, session: Session, product_ids: Sequence[int], day: datetime) -> int:
    """Replaces the points of each hour, or of the day, by one, where there are enough of them."""
    end = day + DAY
    chosen, last = _products_with_many_points(session, product_ids, day)
    if chosen:
        day_figures.drop(session.connection(), chosen, since=day, until=day)
    points, carried = _points(session, chosen, day), _carried(session, chosen, day)
    spans: list[ColumnElement[bool]] = []
    rows: list[dict[str, Any]] = []
    for product_id in chosen:
        # None of a product that was deleted just now.
        of_product = points.get(product_id, [])
        of_day = [point for point in of_product if point.starts_at < end]
        ends_at = end if len(of_day) < len(of_product) else None
        rolled = roll_up(of_day, resolution, carried=carried.get(product_id), ends_at=ends_at)
        spans += [
            and_(
                _POINTS.c.product_id == product_id, _POINTS.c.starts_at >= since, _POINTS.c.starts_at < until
            )
            for since, until in rolled.spans
        ]
        rows += [{"product_id": product_id, **point._asdict()} for point in rolled.points]
    _delete(session, _POINTS, spans)
    if rows:
        session.execute(insert(_POINTS), rows)
    return last


def _products_with_many_points(
    session: Session, product_ids: Sequence[int], day: datetime
) -> tuple[list[int], int]:
    """So many products that their points make one step, and the last product that was looked at."""
    query = (
        select(_POINTS.c.product_id, func.count())
        .where(
            _POINTS.c.product_id.in_(product_ids),
            _POINTS.c.starts_at >= day,
            _POINTS.c.starts_at < day + DAY,
        )
        .group_by(_POINTS.c.product_id)
        .having(func.count() >= FEWEST)
        .order_by(_POINTS.c.product_id)
    )
    chosen: list[int] = []
    room = _ROWS_A_STEP
    for product_id, count in session.execute(query):
        if room <= 0:
            return chosen, chosen[-1]
        room -= count
        chosen.append(product_id)
    return chosen, product_ids[-1]


def _points(session: Session, product_ids: Sequence[int], day: datetime) -> dict[int, list[StoredPoint]]:
    """All points that start on the day or where it ends, by product."""
    query = _STORED_POINTS.where(
        _POINTS.c.product_id.in_(product_ids), _POINTS.c.starts_at.between(day, day + DAY)
    )
    rows = session.execute(query.order_by(_POINTS.c.product_id, _POINTS.c.starts_at))
    return {
        product_id: [StoredPoint._make(row[1:]) for row in group]
        for product_id, group in groupby(rows, attrgetter("product_id"))
    }


def _carried(session: Session, product_ids: Sequence[int], day: datetime) -> dict[int, StoredPoint]:
    """The raw points that hold where the day begins, by product."""
    last = _last_starts(session, product_ids, _POINTS.c.starts_at < day)
    if not last:
        return {}
    is_one = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at == starts_at)
        for product_id, starts_at in last.items()
    ]
    query = _STORED_POINTS.where(_POINTS.c.resolution_s == 0, or_(*is_one))
    return {row.product_id: StoredPoint._make(row[1:]) for row in session.execute(query)}


def _last_starts(
    session: Session, product_ids: Sequence[int], condition: ColumnElement[bool]
) -> dict[int, datetime]:
    """When the last point of each product that fulfils the condition started."""
    if not product_ids:
        return {}
    key = (_POINTS.c.product_id, _POINTS.c.starts_at)
    # One query a product: for many at once some databases read all points to find the last ones.
    last = [
        select(*key)
        .where(_POINTS.c.product_id == each, condition)
        .order_by(_POINTS.c.starts_at.desc())
        .limit(1)
        for each in product_ids
    ]
    return dict(session.execute(union_all(*(each.subquery().select() for each in last))).all())


def prune_points(session: Session, product_ids: Sequence[int], day: datetime) -> int:
    """Deletes the points that ended by the end of the day; the one that was valid then stays."""
    day_figures.drop(session.connection(), product_ids, since=EPOCH, until=day)
    last_starts = _last_starts(session, product_ids, _POINTS.c.starts_at <= day + DAY)
    if not last_starts:
        return product_ids[-1]
    has_ended = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at < starts_at)
        for product_id, starts_at in last_starts.items()
    ]
    query = select(_POINTS.c.product_id, _POINTS.c.starts_at).where(or_(*has_ended))
    rows = session.execute(
        query.order_by(_POINTS.c.product_id, _POINTS.c.starts_at).limit(_ROWS_A_STEP)
    ).all()
    until = {row.product_id: row.starts_at for row in rows}
    ended = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at <= starts_at)
        for product_id, starts_at in until.items()
    ]
    _delete(session, _POINTS, ended)
    # After a full step the last product may have more.
    return product_ids[-1] if len(rows) < _ROWS_A_STEP else rows[-1].product_id - 1


def prune_changes(session: Session, product_ids: Sequence[int], day: datetime) -> int:
    """Deletes the changes until the end of the day; the last one of each offer that was there then stays."""
    room = _ROWS_A_STEP
    for product_id in product_ids:
        changes, are_all = _old_changes(session, product_id, day + DAY)
        superseded = _superseded(changes)
        _delete(session, _CHANGES, [_of_offer(product_id, *each) for each in superseded.items()])
        room -= len(changes)
        if not are_all:
            return product_id - 1
        if room <= 0:
            return product_id
    return product_ids[-1]


def _old_changes(session: Session, product_id: int, until: datetime) -> tuple[Sequence[Any], bool]:
    """A product's oldest changes, so many that some are superseded; and whether these are all old ones."""
    query = (
        select(_CHANGES.c.changed_at, _CHANGES.c.offer_id, _CHANGES.c.kind)
        .where(_CHANGES.c.product_id == product_id, _CHANGES.c.changed_at < until)
        .order_by(_CHANGES.c.changed_at, _CHANGES.c.offer_id)
    )
    limit = _ROWS_A_STEP
    while True:
        changes = session.execute(query.limit(limit)).all()
        if len(changes) < limit or _superseded(changes):
            return changes, len(changes) < limit
        limit *= 2


def _superseded(changes: Sequence[Any]) -> dict[int, datetime]:
    """For each offer, the time of its last change that holds no more: another followed, or it was removed."""
    last: dict[int, datetime] = {}
    found: dict[int, datetime] = {}
    for change in changes:
        if change.offer_id in last:
            found[change.offer_id] = last[change.offer_id]
        last[change.offer_id] = change.changed_at
        if change.kind == ChangeKind.REMOVED:
            found[change.offer_id] = change.changed_at
    return found


def _of_offer(product_id: int, offer_id: int, until: datetime) -> ColumnElement[bool]:
    return and_(
        _CHANGES.c.product_id == product_id, _CHANGES.c.offer_id == offer_id, _CHANGES.c.changed_at <= until
    )


def _delete(session: Session, table: Table, conditions: Sequence[ColumnElement[bool]]) -> None:
    for start in range(0, len(conditions), _CONDITIONS_A_STATEMENT):
        some = conditions[start : start + _CONDITIONS_A_STATEMENT]
        session.execute(delete(table).where(or_(*some)))
