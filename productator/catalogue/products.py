"""Products: creating, reading, changing and deleting them, and asking for a refresh."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from productator.catalogue import search, versions
from productator.catalogue.versions import Expected
from productator.database.column_types import UtcDateTime
from productator.database.keyset import Page, Position, orders, read_page
from productator.database.transactions import changed_rows
from productator.domain import ProductDraft
from productator.errors import ProductNotFound
from productator.models import OfferChange, PricePoint, Product, Refresh

_PRODUCTS = cast("Table", Product.__table__)
_REFRESHES = cast("Table", Refresh.__table__)
_COLUMNS = [column for column in _PRODUCTS.c if column is not _PRODUCTS.c.words]
_ONE_PRODUCT = select(*_COLUMNS).where(Product.id == bindparam("product_id"))
ORDERS = orders(
    Product.id,
    id=Product.id,
    name=Product.name,
    created_at=Product.created_at,
    updated_at=Product.updated_at,
)
_ROWS_A_READ = 1_000
_ROWS_A_DELETE = 10_000


def create(session: Session, draft: ProductDraft, *, now: datetime) -> Product:
    """A product that is due now: the refresher registers it and fetches its first offers."""
    product = Product(
        name=draft.name, description=draft.description, remote_id=str(uuid4()), created_at=now, updated_at=now
    )
    session.add(product)
    session.flush()
    session.add(Refresh(product_id=product.id, due_at=now))
    return product


def create_many(session: Session, drafts: Sequence[ProductDraft], *, now: datetime) -> list[Row[Any]]:
    """Products as `create` makes them, in a few statements however many they are; in the drafts' order."""
    named = {str(uuid4()): draft for draft in drafts}
    _insert(session, named, now=now)
    found = session.execute(select(*_COLUMNS).where(_PRODUCTS.c.remote_id.in_(named)))
    rows = {row.remote_id: row for row in found}
    return [rows[remote_id] for remote_id in named]


def add_missing(session: Session, drafts: Mapping[str, ProductDraft], *, now: datetime) -> int:
    """Products under the given remote ids, except those that are there; returns how many it created."""
    there = set(session.scalars(select(_PRODUCTS.c.remote_id).where(_PRODUCTS.c.remote_id.in_(drafts))))
    missing = {remote_id: draft for remote_id, draft in drafts.items() if remote_id not in there}
    _insert(session, missing, now=now)
    return len(missing)


def _insert(session: Session, drafts: Mapping[str, ProductDraft], *, now: datetime) -> None:
    if not drafts:
        return
    rows = [
        # Times as parameters: with a function of SQL the rows would travel one by one.
        {
            "name": draft.name,
            "description": draft.description,
            "remote_id": remote_id,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        for remote_id, draft in drafts.items()
    ]
    session.execute(insert(_PRODUCTS), rows)
    # Not every database tells the ids that many rows of one INSERT were given; ours find them.
    ids = session.scalars(
        select(_PRODUCTS.c.id).where(_PRODUCTS.c.remote_id.in_(drafts)).order_by(_PRODUCTS.c.id)
    )
    session.execute(insert(_REFRESHES), [{"product_id": product_id, "due_at": now} for product_id in ids])


def get(connection: Connection, product_id: int) -> Row[Any]:
    row = connection.execute(_ONE_PRODUCT, {"product_id": product_id}).one_or_none()
    if row is None:
        raise ProductNotFound(product_id)
    return row


def page(
    connection: Connection, *, text: str | None, sort: str, limit: int, position: Position | None
) -> Page[Row[Any]]:
    """Products; `text`, unless it is blank, keeps those whose names have its words."""
    query, order = select(*_COLUMNS), ORDERS[sort]
    if text and text.strip():
        query = query.where(search.condition(connection, text, order, limit=limit, position=position))
    return read_page(connection, query, order, limit=limit, position=position)


def every(connection: Connection) -> Iterator[Row[Any]]:
    """All products by id, read in pages."""
    position: Position | None = None
    while True:
        found = read_page(connection, select(*_COLUMNS), ORDERS["id"], limit=_ROWS_A_READ, position=position)
        yield from found.rows
        position = found.position
        if position is None:
            return


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Product)) or 0


def change(
    session: Session, product_id: int, changes: Mapping[str, str], *, expected: Expected = None, now: datetime
) -> Product:
    """Sets the named fields.

    The Offers service has no way to update a product, so it keeps the name it was registered with.
    """
    product = _check(session.get(Product, product_id, with_for_update=True), product_id, expected)
    versions.apply(session, product, changes, now=now)
    return product


def remove(session: Session, product_id: int, *, expected: Expected = None) -> None:
    """Deletes the product with its offers and all of its history."""
    _check(session.get(Product, product_id), product_id, expected)
    # This may take long, so it comes before the locks that others wait for.
    _forget_history(session, product_id)
    # The refresher locks this row first, too: the same order everywhere means no deadlock.
    session.execute(select(Refresh.product_id).where(Refresh.product_id == product_id).with_for_update())
    product = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    session.delete(_check(product, product_id, expected))
    session.flush()


def _check(product: Product | None, product_id: int, expected: Expected) -> Product:
    if product is None:
        raise ProductNotFound(product_id)
    versions.check(product, expected)
    return product


def _forget_history(session: Session, product_id: int) -> None:
    """In statements of some hundredths of a second: millions of rows take longer than a statement may."""
    for table, time in ((OfferChange, OfferChange.changed_at), (PricePoint, PricePoint.starts_at)):
        # Beginning behind what has gone, which servers would read again until the commit.
        rest = [table.product_id == product_id]
        while (until := session.scalar(_time_of_later_row(time, rest))) is not None:
            session.execute(delete(table).where(*rest, time <= until))
            rest = [table.product_id == product_id, time > until]


def _time_of_later_row(time: InstrumentedAttribute[datetime], rest: list[ColumnElement[bool]]) -> Select[Any]:
    return select(time).where(*rest).order_by(time).offset(_ROWS_A_DELETE).limit(1)


def refresh_now(session: Session, product_id: int, *, now: datetime) -> None:
    """Makes the product due; a refresh that is under way is stored, and done again at once.

    The stored offers are then compared with the service's one by one, even if it answers what it last did.
    """
    # However often it is asked for, it goes on: what is under way keeps its claim, or its answer would not be
    # stored, and what is due keeps its place among those that wait. A claim that has lapsed is nobody's.
    is_later = Refresh.due_at > now
    is_claimed = and_(Refresh.claim_token.is_not(None), is_later)
    is_put_off = and_(Refresh.claim_token.is_(None), is_later)
    # On MySQL each assignment shows in those that follow, but none of these changes whether it is claimed.
    anew = {
        "due_at": case((is_put_off, literal(now, UtcDateTime())), else_=Refresh.due_at),
        "claim_token": case((is_claimed, Refresh.claim_token)),
        "due_again": is_claimed,
        "answer_digest": None,
    }
    statement = update(Refresh).where(Refresh.product_id == product_id).values(anew)
    if not changed_rows(session, statement):
        raise ProductNotFound(product_id)
