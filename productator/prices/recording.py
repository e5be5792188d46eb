"""Records changes of offers, in the transaction that makes them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, CompoundSelect, Table, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows
from productator.database.column_types import ServerTime
from productator.models import OfferChange, PricePoint
from productator.prices import changes
from productator.prices.changes import Offers

_CHANGES = cast("Table", OfferChange.__table__)
_POINTS = cast("Table", PricePoint.__table__)
_CHANGE_COLUMNS = ("product_id", "changed_at", *changes.OfferEvent._fields)
_POINT_COLUMNS = ("product_id", "starts_at", "resolution_s", *changes.Aggregate._fields)
_TICK = timedelta(microseconds=1)
# The clocks of healthy machines differ by less.
_CLOCKS_DIFFER = timedelta(seconds=2)


class Observation(NamedTuple):
    """What a product's offers were and have become; `at` is when that was seen."""

    product_id: int
    at: datetime
    before: Offers
    after: Offers


def record(session: Session, observations: Iterable[Observation]) -> None:
    """Writes what changed. The caller has locked the products' `refreshes` rows, so nobody else does so."""
    changed = [(each, changes.events(each.before, each.after)) for each in observations]
    changed = [(each, events) for each, events in changed if events]
    if not changed:
        return
    times = _times(session, (each for each, _ in changed))
    rows = [(each.product_id, times[each.product_id], *event) for each, events in changed for event in events]
    insert_rows(session.connection(), _CHANGES, _CHANGE_COLUMNS, rows)
    points = [row for each, _ in changed for row in _point_rows(each, times)]
    insert_rows(session.connection(), _POINTS, _POINT_COLUMNS, points)


def _times(session: Session, observations: Iterable[Observation]) -> dict[int, datetime]:
    """When each product's changes happened: after all earlier ones, whatever the clocks say.

    A clock that is far ahead is ignored: until then nobody would see such a change, nor any later one.
    """
    now = session.connection().scalar(select(ServerTime()))
    times = {
        each.product_id: each.at if now is None or each.at <= now + _CLOCKS_DIFFER else now
        for each in observations
    }
    found = session.connection().execute(_not_before(min(times.values()), times))
    for product_id, recorded_at, _ in found:
        times[product_id] = max(times[product_id], recorded_at + _TICK)
    return times


def _not_before(time: datetime, product_ids: Iterable[int]) -> CompoundSelect[int, datetime, int]:
    """The products that have a record of that time or later, and its time; there is hardly ever one."""
    # The ids are part of the statement: the driver looks at each of hundreds of parameters.
    ids = bindparam("product_ids", sorted(product_ids), BigInteger, expanding=True, literal_execute=True)
    # Nobody reads the number. Without it MySQL skips from product to product through the whole table.
    number = func.count()
    return union_all(
        *(
            select(product_id, func.max(recorded_at), number)
            .where(product_id.in_(ids), recorded_at >= time)
            .group_by(product_id)
            for product_id, recorded_at in (
                (OfferChange.product_id, OfferChange.changed_at),
                (PricePoint.product_id, PricePoint.starts_at),
            )
        )
    )


def _point_rows(each: Observation, times: dict[int, datetime]) -> Iterator[tuple[Any, ...]]:
    """The product's new aggregate, if it is another one."""
    after = changes.aggregate(each.after.values())
    if after != changes.aggregate(each.before.values()):
        yield (each.product_id, times[each.product_id], 0, *after)
