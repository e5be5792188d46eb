"""Repairs search terms that do not fit a product's name.

During an upgrade, replicas of an older version may write products without search terms, or with other ones
than this version makes. Products are looked at in the order in which they change, so all are looked at once,
and then those that have changed since.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Row, Table, select
from sqlalchemy.orm import Session

from productator.catalogue.products import ORDERS
from productator.database.bulk import update_each
from productator.database.keyset import Position, read_page
from productator.models import Product, search_terms

_PRODUCTS = cast("Table", Product.__table__)
_ORDER = ORDERS["updated_at"]
# Some hundredths of a second's work.
_PRODUCTS_A_STEP = 1_000
# A change may be committed later than its time says, and later than changes of a later time.
_LATEST_COMMIT = timedelta(minutes=1)


class RepairStep(NamedTuple):
    # Where the next step begins.
    position: Position | None
    has_more: bool
    repaired: int


def repair_some(session: Session, *, position: Position | None) -> RepairStep:
    """Looks at the products that changed after the position; None: at those that changed first."""
    columns = [_PRODUCTS.c[name] for name in ("id", "name", "words", "updated_at")]
    query = select(*columns)
    page = read_page(session.connection(), query, _ORDER, limit=_PRODUCTS_A_STEP, position=position)
    wrong = [row.id for row in page.rows if row.words != search_terms.index_terms(row.name)]
    if wrong:
        _repair(session, wrong)
    if page.position is None:
        return RepairStep(_before_the_end(page.rows) or position, has_more=False, repaired=len(wrong))
    return RepairStep(page.position, has_more=True, repaired=len(wrong))


def _repair(session: Session, product_ids: Sequence[int]) -> None:
    # The names are read again, and locked: somebody may have changed one since.
    query = select(_PRODUCTS.c.id, _PRODUCTS.c.name).where(_PRODUCTS.c.id.in_(product_ids))
    found = session.connection().execute(query.order_by(_PRODUCTS.c.id).with_for_update()).all()
    terms = [(product_id, search_terms.index_terms(name)) for product_id, name in found]
    # Version and time stay: nobody sees the terms.
    update_each(session.connection(), _PRODUCTS, ["id", "words"], terms)


def _before_the_end(rows: Sequence[Row[Any]]) -> Position | None:
    return [(rows[-1].updated_at - _LATEST_COMMIT).isoformat(), 0] if rows else None
