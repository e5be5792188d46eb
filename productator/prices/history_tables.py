"""The tables of history, as those need them who write many rows."""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Table, bindparam, func, select, union_all

from productator.database.column_types import UtcDateTime
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
_RECORDED_SINCE = Prepared(
    union_all(
        *(
            # Nobody reads the number. Without it MySQL skips from product to product through the whole table.
            select(product_id, func.max(recorded_at), func.count())
            .where(in_list(product_id, "product_ids"), recorded_at >= _TIME)
            .group_by(product_id)
            for product_id, recorded_at in (
                (OfferChange.product_id, OfferChange.changed_at),
                (PricePoint.product_id, PricePoint.starts_at),
            )
        )
    )
)


def recorded_since(
    connection: Connection, time: datetime, product_ids: Iterable[int]
) -> list[tuple[int, datetime]]:
    """The products that have a record of that time or later, and its time; there is hardly ever one."""
    found = _RECORDED_SINCE.rows(connection, {"product_ids": product_ids, "time": time})
    return [(product_id, recorded_at) for product_id, recorded_at, _ in found]
