"""Tells the notifier which products' prices changed, in the transaction that records the change.

The history says what changed. A row here says that the notifier has to look at it: it is rolled back with the
change, and stays until the notifier has looked.
"""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import BigInteger, Connection, Table, bindparam, exists, insert, select, union

from productator.models import AlertRule, ChangedProduct, Product

_OUTBOX = cast("Table", ChangedProduct.__table__)
# Part of the statement: the driver looks at each of hundreds of parameters.
_IDS = bindparam("product_ids", type_=BigInteger, expanding=True, literal_execute=True)
_FOR_MANY = exists().where(AlertRule.active, AlertRule.product_id.is_(None))
# Where no rule is, this reads two indexes in vain and writes nothing.
_APPEND = insert(_OUTBOX).from_select(
    ["product_id"],
    union(
        select(AlertRule.product_id).where(AlertRule.active, AlertRule.product_id.in_(_IDS)),
        select(Product.id).where(_FOR_MANY, Product.id.in_(_IDS)),
    ),
)


def append(connection: Connection, product_ids: Sequence[int]) -> None:
    """Notes the products that a rule is about; the others cost nothing."""
    connection.execute(_APPEND, {"product_ids": product_ids})
