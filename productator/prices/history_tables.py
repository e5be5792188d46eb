"""The tables of history, as those need them who write many rows."""

from typing import cast

from sqlalchemy import Table, bindparam, func, select, union_all

from productator.database.column_types import UtcDateTime
from productator.database.number_lists import in_list
from productator.models import OfferChange, PricePoint
from productator.prices.changes import Aggregate, OfferEvent

CHANGES = cast("Table", OfferChange.__table__)
POINTS = cast("Table", PricePoint.__table__)
CHANGE_COLUMNS = ("product_id", "changed_at", *OfferEvent._fields)
# Of a raw point.
POINT_COLUMNS = ("product_id", "starts_at", "resolution_s", *Aggregate._fields)

# The products of `product_ids` that have a record of the time `since` or later, and its time; there is hardly
# ever one. Nobody reads the number: without it MySQL skips from product to product through the whole table.
RECORDED_SINCE = union_all(
    *(
        select(table.c.product_id, func.max(time), func.count())
        .where(in_list(table.c.product_id, "product_ids"), time >= bindparam("since", type_=UtcDateTime))
        .group_by(table.c.product_id)
        for table, time in ((CHANGES, CHANGES.c.changed_at), (POINTS, POINTS.c.starts_at))
    )
)
