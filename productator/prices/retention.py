"""What becomes of old history: points of changes become those of hours and days, and what is too old goes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, or_, select, union_all
from sqlalchemy.orm import Session

from productator.domain import ChangeKind
from productator.models import OfferChange, PricePoint
from productator.prices.records import IS_UNBROKEN
from productator.prices.rollup import FEWEST, Point, roll_up

# Some hundredths of a second's work.
_ROWS_A_TIME = 1_000
_CONDITIONS_A_STATEMENT = 100

_POINTS = cast("Table", PricePoint.__table__)
_CHANGES = cast("Table", OfferChange.__table__)
_READ = select(
    _POINTS.c.product_id,
    *(IS_UNBROKEN.label(name) if name == "is_unbroken" else _POINTS.c[name] for name in Point._fields),
)


class Window(NamedTuple):
    """A time of whole days."""

    since: datetime
    until: datetime


def roll_up_window(
    resolution: timedelta, session: Session, product_ids: Sequence[int], window: Window
) -> int:
    chosen, last = _some_with_many_points(session, product_ids, window)
    points, carried = _points(session, chosen, window), _carried(session, chosen, window)
    spans: list[ColumnElement[bool]] = []
    rows: list[dict[str, Any]] = []
    for product_id in chosen:
        # None of a product that was deleted just now.
        of_product = points.get(product_id, [])
        within = [point for point in of_product if point.starts_at < window.until]
        ends_at = window.until if len(within) < len(of_product) else None
        rolled = roll_up(within, resolution, carried=carried.get(product_id), ends_at=ends_at)
        spans += [
            and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at >= start, _POINTS.c.starts_at < end)
            for start, end in rolled.spans
        ]
        rows += [{"product_id": product_id, **point._asdict()} for point in rolled.points]
    _delete(session, _POINTS, spans)
    if rows:
        session.execute(insert(_POINTS), rows)
    return last


def _some_with_many_points(
    session: Session, product_ids: Sequence[int], window: Window
) -> tuple[list[int], int]:
    """The products to roll up now, so many that their points are not too many; and the last one looked at."""
    query = (
        select(_POINTS.c.product_id, func.count())
        .where(
            _POINTS.c.product_id.in_(product_ids),
            _POINTS.c.starts_at >= window.since,
            _POINTS.c.starts_at < window.until,
        )
        .group_by(_POINTS.c.product_id)
        .having(func.count() >= FEWEST)
        .order_by(_POINTS.c.product_id)
    )
    chosen: list[int] = []
    room = _ROWS_A_TIME
    for product_id, count in session.execute(query):
        if room <= 0:
            return chosen, chosen[-1]
        room -= count
        chosen.append(product_id)
    return chosen, product_ids[-1]


def _points(session: Session, product_ids: Sequence[int], window: Window) -> dict[int, list[Point]]:
    """All that start in the window or where it ends, by product."""
    query = _READ.where(
        _POINTS.c.product_id.in_(product_ids), _POINTS.c.starts_at.between(window.since, window.until)
    )
    rows = session.execute(query.order_by(_POINTS.c.product_id, _POINTS.c.starts_at))
    return {
        product_id: [Point._make(row[1:]) for row in group]
        for product_id, group in groupby(rows, attrgetter("product_id"))
    }


def _carried(session: Session, product_ids: Sequence[int], window: Window) -> dict[int, Point]:
    """The raw points that hold where the window begins, by product."""
    held = _held_since(session, product_ids, _POINTS.c.starts_at < window.since)
    if not held:
        return {}
    is_one = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at == starts_at)
        for product_id, starts_at in held.items()
    ]
    query = _READ.where(_POINTS.c.resolution_s == 0, or_(*is_one))
    return {row.product_id: Point._make(row[1:]) for row in session.execute(query)}


def _held_since(
    session: Session, product_ids: Sequence[int], condition: ColumnElement[bool]
) -> dict[int, datetime]:
    """When the last point of each product that fulfils the condition started."""
    if not product_ids:
        return {}
    key = (_POINTS.c.product_id, _POINTS.c.starts_at)
    # A product each: of many at once some databases read all points to find the last ones.
    last = [
        select(*key)
        .where(_POINTS.c.product_id == each, condition)
        .order_by(_POINTS.c.starts_at.desc())
        .limit(1)
        for each in product_ids
    ]
    return dict(session.execute(union_all(*(each.subquery().select() for each in last))).all())


def prune_points(session: Session, product_ids: Sequence[int], window: Window) -> int:
    """Deletes what ended before the window did; what held then stays."""
    held = _held_since(session, product_ids, _POINTS.c.starts_at <= window.until)
    if not held:
        return product_ids[-1]
    has_ended = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at < starts_at)
        for product_id, starts_at in held.items()
    ]
    query = select(_POINTS.c.product_id, _POINTS.c.starts_at).where(or_(*has_ended))
    rows = session.execute(
        query.order_by(_POINTS.c.product_id, _POINTS.c.starts_at).limit(_ROWS_A_TIME)
    ).all()
    last = {row.product_id: row.starts_at for row in rows}
    gone = [
        and_(_POINTS.c.product_id == product_id, _POINTS.c.starts_at <= starts_at)
        for product_id, starts_at in last.items()
    ]
    _delete(session, _POINTS, gone)
    return _last_done(rows, product_ids)


def prune_changes(session: Session, product_ids: Sequence[int], window: Window) -> int:
    """Deletes what an offer was before the window's end, but for its last change: that held then."""
    room = _ROWS_A_TIME
    for product_id in product_ids:
        changes, are_all = _old_changes(session, product_id, window.until)
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
    limit = _ROWS_A_TIME
    while True:
        changes = session.execute(query.limit(limit)).all()
        if len(changes) < limit or _superseded(changes):
            return changes, len(changes) < limit
        limit *= 2


def _superseded(changes: Sequence[Any]) -> dict[int, datetime]:
    """Of each offer the last change that holds no more: another followed, or it was removed."""
    held: dict[int, datetime] = {}
    found: dict[int, datetime] = {}
    for change in changes:
        if change.offer_id in held:
            found[change.offer_id] = held[change.offer_id]
        held[change.offer_id] = change.changed_at
        if change.kind == ChangeKind.REMOVED:
            found[change.offer_id] = change.changed_at
    return found


def _of_offer(product_id: int, offer_id: int, until: datetime) -> ColumnElement[bool]:
    return and_(
        _CHANGES.c.product_id == product_id, _CHANGES.c.offer_id == offer_id, _CHANGES.c.changed_at <= until
    )


def _last_done(rows: Sequence[Any], product_ids: Sequence[int]) -> int:
    """Where as many rows were found as are dealt with at a time, the last product may have more."""
    return product_ids[-1] if len(rows) < _ROWS_A_TIME else rows[-1].product_id - 1


def _delete(session: Session, table: Table, conditions: Sequence[ColumnElement[bool]]) -> None:
    for start in range(0, len(conditions), _CONDITIONS_A_STATEMENT):
        some = conditions[start : start + _CONDITIONS_A_STATEMENT]
        session.execute(delete(table).where(or_(*some)))
