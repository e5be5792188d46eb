"""History of offers: recording what changed, in the transaction that changes it, and reading it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    func,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from productator.catalogue import products
from productator.database.bulk import insert_rows
from productator.database.column_types import ServerTime
from productator.database.keyset import Order, Page, Position, read_page
from productator.errors import OfferNotFound
from productator.models import Offer, OfferChange, PricePoint
from productator.prices import changes as history
from productator.prices.changes import Offers

_CHANGES = cast("Table", OfferChange.__table__)
_POINTS = cast("Table", PricePoint.__table__)
_ROWS_A_STATEMENT = 1_000
_CHANGE_COLUMNS = ("product_id", "changed_at", *history.OfferEvent._fields)
_POINT_COLUMNS = ("product_id", "starts_at", "resolution_s", *history.Summary._fields)
_TICK = timedelta(microseconds=1)
# Between the machines that record, in good order.
_CLOCKS_DIFFER = timedelta(seconds=2)
_IN_TIME = Order(OfferChange.changed_at, OfferChange.offer_id)


class Observation(NamedTuple):
    """What a product's offers were and have become; `at` is when that was seen."""

    product_id: int
    at: datetime
    before: Offers
    after: Offers


@dataclass(frozen=True)
class Span:
    """The time [since, until); None: without that bound."""

    since: datetime | None = None
    until: datetime | None = None

    def of(self, query: Select[Any]) -> Select[Any]:
        if self.since is not None:
            query = query.where(OfferChange.changed_at >= self.since)
        if self.until is not None:
            query = query.where(OfferChange.changed_at < self.until)
        return query


def of_product(
    connection: Connection, product_id: int, span: Span, *, limit: int, position: Position | None = None
) -> Page[Row[Any]]:
    """Changes of all the product's offers, past ones included, oldest first."""
    query = span.of(select(_CHANGES).where(OfferChange.product_id == product_id))
    page = read_page(connection, query, _IN_TIME, limit=limit, position=position)
    if not page.rows:
        products.get(connection, product_id)
    return page


def every(connection: Connection, product_id: int, span: Span) -> Iterator[Row[Any]]:
    """All changes of the product's offers, oldest first, read in pages."""
    position: Position | None = None
    while True:
        page = of_product(connection, product_id, span, limit=_ROWS_A_STATEMENT, position=position)
        yield from page.rows
        position = page.position
        if position is None:
            return


def of_offer(
    connection: Connection,
    product_id: int,
    offer_id: int,
    span: Span,
    *,
    limit: int,
    position: Position | None = None,
) -> Page[Row[Any]]:
    """Changes of one offer, which may be gone, oldest first."""
    changes = select(_CHANGES).where(OfferChange.product_id == product_id, OfferChange.offer_id == offer_id)
    page = read_page(connection, span.of(changes), _IN_TIME, limit=limit, position=position)
    if not page.rows and connection.execute(changes.limit(1)).one_or_none() is None:
        _require_offer(connection, product_id, offer_id)
    return page


def _require_offer(connection: Connection, product_id: int, offer_id: int) -> None:
    """Raises OfferNotFound for what is not there; an offer's changes may have been pruned, or never made."""
    query = select(Offer.id).where(Offer.product_id == product_id, Offer.id == offer_id)
    if connection.scalar(query) is None:
        raise OfferNotFound(product_id, offer_id)


def record(session: Session, observations: Iterable[Observation]) -> None:
    """Writes what changed. The caller holds the products' `refreshes` rows, so that nobody else does so."""
    changed = [(each, history.events(each.before, each.after)) for each in observations]
    changed = [(each, events) for each, events in changed if events]
    if not changed:
        return
    times = _times(session, (each for each, _ in changed))
    changes = [
        (each.product_id, times[each.product_id], *event) for each, events in changed for event in events
    ]
    insert_rows(session.connection(), _CHANGES, _CHANGE_COLUMNS, changes)
    points = [row for each, _ in changed for row in _point_rows(each, times)]
    insert_rows(session.connection(), _POINTS, _POINT_COLUMNS, points)


def _times(session: Session, observations: Iterable[Observation]) -> dict[int, datetime]:
    """When each product's changes happened: after all earlier ones, whatever the clocks say.

    What a clock far ahead says does not count. Nobody would see such a change until then, nor a later one.
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
    """The products of which something is recorded for then or later, hardly ever any, and the last of it."""
    # Part of the statement: the driver looks at each parameter apart, and they are hundreds.
    ids = bindparam("product_ids", sorted(product_ids), BigInteger, expanding=True, literal_execute=True)
    # Not for the number: without it MySQL skips from product to product of the whole table.
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


def _point_rows(each: Observation, times: dict[int, datetime]) -> Iterable[tuple[Any, ...]]:
    after = history.summary(each.after.values())
    if after != history.summary(each.before.values()):
        yield (each.product_id, times[each.product_id], 0, *after)
