"""Tells the notifier which products' prices changed, in the transaction that records the change.

The history says what changed. A row here says that the notifier has to look at it: it is rolled back with the
change, and stays until the notifier has looked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Table, and_, bindparam, exists, insert, select, union

from productator.database.column_types import UtcDateTime
from productator.database.number_lists import in_list
from productator.database.prepared import Prepared
from productator.models import AlertRule, ChangedProduct, Product
from productator.models.alerts import WATCHED_KINDS

_OUTBOX = cast("Table", ChangedProduct.__table__)
# A prepared statement takes no list of texts.
_IS_ABOUT_PRICES = and_(AlertRule.active, *(AlertRule.kind != each for each in WATCHED_KINDS))
_FOR_MANY = exists().where(_IS_ABOUT_PRICES, AlertRule.product_id.is_(None))
_NOTED_AT = bindparam("noted_at", type_=UtcDateTime)
# Without rules, this reads two indexes, finds nothing and writes nothing.
_APPEND = Prepared(
    insert(_OUTBOX).from_select(
        ["product_id", "noted_at"],
        union(
            select(AlertRule.product_id, _NOTED_AT).where(
                _IS_ABOUT_PRICES, in_list(AlertRule.product_id, "product_ids")
            ),
            select(Product.id, _NOTED_AT).where(_FOR_MANY, in_list(Product.id, "product_ids")),
        ),
    )
)


def append(connection: Connection, product_ids: Sequence[int], *, at: datetime) -> None:
    """Notes the products that a rule is about; the others cost nothing."""
    _APPEND.run(connection, {"product_ids": product_ids, "noted_at": at})
