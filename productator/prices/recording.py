"""Records changes of offers, in the transaction that makes them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from productator.database.bulk import insert_rows
from productator.prices import changes, clock_jumps, outbox, product_prices
from productator.prices.changes import Aggregate, Offers
from productator.prices.clock_jumps import CLOCKS_DIFFER, TICK, Clocks
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
    points = {each.product_id: found for each, _ in changed if (found := _new_point(each))}
    new_points = [(product_id, times[product_id], 0, *after) for product_id, (_, after) in points.items()]
    insert_rows(session.connection(), POINTS, POINT_COLUMNS, new_points)
    _record_lowest_prices(session, points, times)
    if points:
        outbox.append(session.connection(), list(points), at=max(times.values()))


def _times(session: Session, observations: Iterable[Observation]) -> dict[int, datetime]:
    """When each product's changes happened: after all earlier ones, and not ahead of any clock.

    Until the time of a change has come nobody would see it, nor any later one.
    """
    seen = {each.product_id: each.at for each in observations}
    connection, first = session.connection(), min(seen.values())
    found, server_time = recorded_since(connection, first, seen)
    now = Clocks.with_server(server_time)
    times = {
        product_id: at if at <= now.earliest + CLOCKS_DIFFER else now.earliest
        for product_id, at in seen.items()
    }
    if min(times.values()) < first:  # our clock is ahead
        found, _ = recorded_since(connection, min(times.values()), seen)
    ahead = {product_id for product_id, recorded_at in found if recorded_at > now.future}
    moved = clock_jumps.move_to_now(session, ahead, now) if ahead else {}
    for product_id, recorded_at in found:
        times[product_id] = max(times[product_id], moved.get(product_id, recorded_at) + TICK)
    return times


def _new_point(each: Observation) -> tuple[Aggregate, Aggregate] | None:
    """The product's aggregate before and after, if it is another one."""
    before, after = changes.aggregate(each.before.values()), changes.aggregate(each.after.values())
    return (before, after) if before != after else None


def _record_lowest_prices(
    session: Session, points: dict[int, tuple[Aggregate, Aggregate]], times: dict[int, datetime]
) -> None:
    changed = {
        product_id: after.lowest_price
        for product_id, (before, after) in points.items()
        if before.lowest_price != after.lowest_price
    }
    if changed:
        new = {product_id for product_id in changed if not points[product_id][0].offers}
        today = product_prices.day_of(max(times.values()))
        product_prices.record(session, changed, new, times=times, today=today)
