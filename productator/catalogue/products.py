"""Products: create, read, change and delete them, and request a refresh."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
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
from productator.catalogue.versions import ANY_VERSION, Expected, Versioned
from productator.database.column_types import UtcDateTime
from productator.database.keyset import (
    Page,
    Position,
    cut_page,
    orders,
    page_query,
    page_values,
    read_page,
)
from productator.database.prepared import Prepared, insert_into
from productator.database.transactions import changed_rows
from productator.domain import NewProduct
from productator.errors import ProductNotFound
from productator.models import OfferChange, PricePoint, Product, Refresh
from productator.models.search_terms import index_terms

Read = TypeVar("Read", bound=Versioned)

_PRODUCTS = cast("Table", Product.__table__)
_REFRESHES = cast("Table", Refresh.__table__)


class ProductRow(NamedTuple):
    """A stored product. Its fields are read four times as fast as those of a SQLAlchemy row."""

    id: int
    name: str
    description: str
    remote_id: str
    version: int
    created_at: datetime
    updated_at: datetime
    registered_at: datetime | None


_COLUMNS = [_PRODUCTS.c[name] for name in ProductRow._fields]
_ONE_PRODUCT = Prepared(select(*_COLUMNS).where(Product.id == bindparam("product_id")))
ORDERS = orders(
    Product.id,
    id=Product.id,
    name=Product.name,
    created_at=Product.created_at,
    updated_at=Product.updated_at,
)


class RefreshState(NamedTuple):
    """How keeping a product's offers fresh goes."""

    due_at: datetime
    refreshed_at: datetime | None
    failures: int
    last_error: str | None
    claim_token: str | None

    def is_expected(self, *, now: datetime) -> bool:
        """Whether a refresh ends soon: it is under way, or due for so short a time that one may begin."""
        if self.due_at > now:
            return self.claim_token is not None
        return now - self.due_at < _EXPECTED_FOR


_REFRESH_OF_ONE = select(*[_REFRESHES.c[name] for name in RefreshState._fields]).where(
    _REFRESHES.c.product_id == bindparam("product_id")
)
_INSERT_PRODUCT = insert_into(
    _PRODUCTS, "name", "description", "remote_id", "version", "created_at", "updated_at", "words"
)
_INSERT_REFRESH = insert_into(_REFRESHES, "product_id", "due_at")
_LOCK = Prepared(select(*_COLUMNS).where(Product.id == bindparam("product_id")).with_for_update())
_CHANGED = ("name", "description", "version", "updated_at")
_UPDATE = Prepared(
    update(_PRODUCTS)
    .where(versions.as_read(_PRODUCTS))
    .values({name: bindparam(name) for name in (*_CHANGED, "words")})
)
_ROWS_A_READ = 1_000
_EXPECTED_FOR = timedelta(minutes=1)
_ROWS_A_DELETE = 10_000


def create(session: Session, new: NewProduct, *, now: datetime) -> ProductRow:
    """Creates a product that is due now: the refresher registers it and fetches its first offers."""
    remote_id = str(uuid4())
    connection = session.connection()
    product_id = _INSERT_PRODUCT.run(connection, _values(new, remote_id, now=now)).last_id
    _INSERT_REFRESH.run(connection, {"product_id": product_id, "due_at": now})
    return ProductRow(product_id, new.name, new.description, remote_id, 1, now, now, None)


def create_many(session: Session, new: Sequence[NewProduct], *, now: datetime) -> list[ProductRow]:
    """Creates products as `create` does, in the given order, in a few statements whatever their number."""
    by_remote_id = {str(uuid4()): each for each in new}
    _insert(session, by_remote_id, now=now)
    found = session.execute(select(*_COLUMNS).where(_PRODUCTS.c.remote_id.in_(by_remote_id)))
    rows = {row.remote_id: row for row in map(ProductRow._make, found)}
    return [rows[remote_id] for remote_id in by_remote_id]


def add_missing(session: Session, new: Mapping[str, NewProduct], *, now: datetime) -> int:
    """Creates products under the given remote ids, unless they exist; returns how many it created."""
    existing = set(session.scalars(select(_PRODUCTS.c.remote_id).where(_PRODUCTS.c.remote_id.in_(new))))
    missing = {remote_id: each for remote_id, each in new.items() if remote_id not in existing}
    _insert(session, missing, now=now)
    return len(missing)


def _insert(session: Session, new: Mapping[str, NewProduct], *, now: datetime) -> None:
    if not new:
        return
    rows = [_values(each, remote_id, now=now) for remote_id, each in new.items()]
    session.execute(insert(_PRODUCTS), rows)
    # Not every database returns the ids of the rows of one INSERT, so the remote ids find them.
    ids = session.scalars(
        select(_PRODUCTS.c.id).where(_PRODUCTS.c.remote_id.in_(new)).order_by(_PRODUCTS.c.id)
    )
    session.execute(insert(_REFRESHES), [{"product_id": product_id, "due_at": now} for product_id in ids])


def _values(new: NewProduct, remote_id: str, *, now: datetime) -> dict[str, Any]:
    # Times are parameters: with an SQL function the driver would send rows one by one.
    return {
        "name": new.name,
        "description": new.description,
        "remote_id": remote_id,
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "words": index_terms(new.name),
    }


def get(connection: Connection, product_id: int) -> ProductRow:
    rows = _ONE_PRODUCT.rows(connection, {"product_id": product_id})
    if not rows:
        raise ProductNotFound(product_id)
    return ProductRow._make(rows[0])


def page(
    connection: Connection, *, text: str | None, sort: str, limit: int, position: Position | None
) -> Page[ProductRow]:
    """A page of products; `text`, unless it is blank, keeps those whose names have its words."""
    order = ORDERS[sort]
    if text and text.strip():
        query = select(*_COLUMNS)
        query = query.where(search.condition(connection, text, order, limit=limit, position=position))
        return read_page(connection, query, order, limit=limit, position=position).map(ProductRow._make)
    read = _page_of_all(sort, is_first=position is None)
    rows = read.rows(connection, page_values(order, limit=limit, position=position))
    return cut_page([ProductRow._make(row) for row in rows], order, limit=limit)


@cache
def _page_of_all(sort: str, *, is_first: bool) -> Prepared:
    return Prepared(page_query(select(*_COLUMNS), ORDERS[sort], is_first=is_first))


def every(connection: Connection) -> Iterator[ProductRow]:
    """All products by id, read in pages."""
    position: Position | None = None
    while True:
        found = page(connection, text=None, sort="id", limit=_ROWS_A_READ, position=position)
        yield from found.rows
        position = found.position
        if position is None:
            return


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Product)) or 0


def change(
    session: Session,
    product_id: int,
    changes: Mapping[str, str],
    *,
    expected: Expected = ANY_VERSION,
    now: datetime,
) -> ProductRow:
    """Sets the named fields. If none differs, version and time stay as they are.

    The Offers service cannot update a product, so it keeps the name it was registered with.
    """
    connection = session.connection()
    rows = _LOCK.rows(connection, {"product_id": product_id})
    product = _check(ProductRow._make(rows[0]) if rows else None, product_id, expected)
    name, description = changes.get("name", product.name), changes.get("description", product.description)
    changed = product._replace(name=name, description=description)
    if changed == product:
        return product
    changed = changed._replace(version=product.version + 1, updated_at=now)
    values = {each: getattr(changed, each) for each in _CHANGED} | {"words": index_terms(changed.name)}
    versions.require_one(_UPDATE.run(connection, values | versions.parameters_as_read(product)))
    return changed


def remove(session: Session, product_id: int, *, expected: Expected = ANY_VERSION) -> None:
    """Deletes the product with its offers and all of its history."""
    _check(session.get(Product, product_id), product_id, expected)
    # This may take long, so it happens before the locks that others wait for.
    _delete_history(session, product_id)
    # The refresher locks this row first, too: the same order everywhere prevents deadlocks.
    session.execute(select(Refresh.product_id).where(Refresh.product_id == product_id).with_for_update())
    product = session.get(Product, product_id, with_for_update=True, populate_existing=True)
    session.delete(_check(product, product_id, expected))
    session.flush()


def _check(product: Read | None, product_id: int, expected: Expected) -> Read:
    if product is None:
        raise ProductNotFound(product_id)
    versions.check(product, expected)
    return product


def _delete_history(session: Session, product_id: int) -> None:
    """Deletes in statements of some hundredths of a second: millions of rows would exceed the time limit."""
    for table, time in ((OfferChange, OfferChange.changed_at), (PricePoint, PricePoint.starts_at)):
        # Each statement begins behind the deleted rows: servers read those again until the commit.
        rest = [table.product_id == product_id]
        while (until := session.scalar(_time_of_later_row(time, rest))) is not None:
            session.execute(delete(table).where(*rest, time <= until))
            rest = [table.product_id == product_id, time > until]


def _time_of_later_row(time: InstrumentedAttribute[datetime], rest: list[ColumnElement[bool]]) -> Select[Any]:
    return select(time).where(*rest).order_by(time).offset(_ROWS_A_DELETE).limit(1)


def refresh_state(connection: Connection, product_id: int) -> RefreshState:
    row = connection.execute(_REFRESH_OF_ONE, {"product_id": product_id}).one_or_none()
    if row is None:
        raise ProductNotFound(product_id)
    return RefreshState._make(row)


def refresh_now(session: Session, product_id: int, *, now: datetime) -> None:
    """Makes the product due now; a refresh that is under way is stored, and another one follows at once.

    That refresh compares the stored offers one by one, even if the service repeats its last answer.
    """
    # Repeated requests do not delay the refresh: a claimed product keeps its claim, without which the
    # refresher would not store its answer, and a due product keeps its place in the queue. An expired claim
    # does not count.
    is_later = Refresh.due_at > now
    is_claimed = and_(Refresh.claim_token.is_not(None), is_later)
    is_waiting = and_(Refresh.claim_token.is_(None), is_later)
    # MySQL uses the new values in the assignments that follow; none of these changes `is_claimed`.
    values = {
        "due_at": case((is_waiting, literal(now, UtcDateTime())), else_=Refresh.due_at),
        "claim_token": case((is_claimed, Refresh.claim_token)),
        "due_again": is_claimed,
        "answer_digest": None,
    }
    statement = update(Refresh).where(Refresh.product_id == product_id).values(values)
    if not changed_rows(session, statement):
        raise ProductNotFound(product_id)
