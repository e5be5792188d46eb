"""The tables of history, as those need them who write many rows."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Connection, Table, bindparam, func, literal_column, select, union_all

from productator.database.column_types import ServerTime, UtcDateTime
from productator.database.number_lists import in_list
from productator.database.prepared import Prepared
from productator.models import OfferChange, PricePoint
from productator.prices.changes import Aggregate, OfferEvent

CHANGES = cast("Table", OfferChange.__table__)
POINTS = cast("Table", PricePoint.__table__)
CHANGE_COLUMNS = ("product_id", "changed_at", *OfferEvent._fields)
# Of a raw point.
POINT_COLUMNS = ("product_id", "starts_at", "resolution_s", *Aggregate._fields)

_TIME = bindparam("time", type_=UtcDateTime)
_NO_PRODUCT = 0
_RECORDED_SINCE = Prepared(
    union_all(
        # With the records, the server's time needs no round trip of its own.
        select(literal_column(str(_NO_PRODUCT)), ServerTime(), literal_column("0")),
        *(
            # Nobody reads the number. Without it MySQL skips from product to product through the whole table.
            select(product_id, func.max(recorded_at), func.count())
            .where(in_list(product_id, "product_ids"), recorded_at >= _TIME)
            .group_by(product_id)
            for product_id, recorded_at in (
                (OfferChange.product_id, OfferChange.changed_at),
                (PricePoint.product_id, PricePoint.starts_at),
            )
        ),
    )
)


class RecordedSince(NamedTuple):
    """The products that have a record of some time or later, each with its time; there is hardly ever one."""

    latest: list[tuple[int, datetime]]
    # None on SQLite, which has no server.
    server_time: datetime | None


def recorded_since(connection: Connection, time: datetime, product_ids: Iterable[int]) -> RecordedSince:
    rows = _RECORDED_SINCE.rows(connection, {"product_ids": product_ids, "time": time})
    times = [(product_id, recorded_at) for product_id, recorded_at, _ in rows]
    (server_time,) = (each for product_id, each in times if product_id == _NO_PRODUCT)
    return RecordedSince([each for each in times if each[0] != _NO_PRODUCT], server_time)
