"""The tables of history, as those need them who write many rows."""

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, CompoundSelect, Table, bindparam, func, select, union_all

from productator.models import OfferChange, PricePoint
from productator.prices.changes import Aggregate, OfferEvent

CHANGES = cast("Table", OfferChange.__table__)
POINTS = cast("Table", PricePoint.__table__)
CHANGE_COLUMNS = ("product_id", "changed_at", *OfferEvent._fields)
# Of a raw point.
POINT_COLUMNS = ("product_id", "starts_at", "resolution_s", *Aggregate._fields)


def recorded_since(time: datetime, product_ids: Iterable[int]) -> CompoundSelect[int, datetime, int]:
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
