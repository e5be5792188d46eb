"""Records changes of offers, in the transaction that makes them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows
from productator.prices import changes, clock_jumps, outbox
from productator.prices.changes import Offers
from productator.prices.clock_jumps import CLOCKS_DIFFER, TICK
from productator.prices.history_tables import CHANGE_COLUMNS, CHANGES, POINT_COLUMNS, POINTS, recorded_since


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
    insert_rows(session.connection(), CHANGES, CHANGE_COLUMNS, rows)
    points = [row for each, _ in changed for row in _point_rows(each, times)]
    insert_rows(session.connection(), POINTS, POINT_COLUMNS, points)
    if points:
        outbox.append(session.connection(), [product_id for product_id, *_ in points])


def _times(session: Session, observations: Iterable[Observation]) -> dict[int, datetime]:
    """When each product's changes happened: after all earlier ones, and not ahead of any clock.

    Until the time of a change has come nobody would see it, nor any later one.
    """
    now = clock_jumps.clocks(session)
    times = {
        each.product_id: each.at if each.at <= now.earliest + CLOCKS_DIFFER else now.earliest
        for each in observations
    }
    found = session.connection().execute(recorded_since(min(times.values()), times)).all()
    ahead = {product_id for product_id, recorded_at, _ in found if recorded_at > now.future}
    moved = clock_jumps.move_to_now(session, ahead, now) if ahead else {}
    for product_id, recorded_at, _ in found:
        times[product_id] = max(times[product_id], moved.get(product_id, recorded_at) + TICK)
    return times


def _point_rows(each: Observation, times: dict[int, datetime]) -> Iterator[tuple[Any, ...]]:
    """The product's new aggregate, if it is another one."""
    after = changes.aggregate(each.after.values())
    if after != changes.aggregate(each.before.values()):
        yield (each.product_id, times[each.product_id], 0, *after)
