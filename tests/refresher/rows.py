"""Reads and changes rows for the tests."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from pymysql.err import OperationalError as DriverError
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import products
from productator.domain import OfferData
from productator.models import Offer, Product, Refresh
from refresher.leases.claims import Claim, ClaimRequest, ClaimTransaction
from tests import factories
from tests.refresher.builders import LEASE, NOW

Sessions = sessionmaker[Session]


class LostSessions:
    """A database that cannot be reached for `lost` transactions, after the `first` ones."""

    def __init__(self, sessions: Sessions, *, lost: int, first: int = 0) -> None:
        self._sessions = sessions
        self._first = first
        self.lost = lost

    def begin(self) -> AbstractContextManager[Session]:
        self._first -= 1
        if self._first < 0:
            self.lost -= 1
            if self.lost >= 0:
                raise OperationalError("SELECT 1", {}, DriverError(2003, "Can't connect to MySQL server"))
        return self._sessions.begin()


class UnheardSessions:
    """A database that commits, but whose answer to one commit is lost, after so many that were `heard`."""

    def __init__(self, sessions: Sessions, *, heard: int) -> None:
        self._sessions = sessions
        self._heard = heard

    def __call__(self) -> Session:
        return self._sessions()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with self._sessions.begin() as session:
            yield session
        self._heard -= 1
        if self._heard == -1:
            raise OperationalError("COMMIT", {}, DriverError(2013, "Lost connection to MySQL server"))


def stored_products(sessions: Sessions, count: int, *, now: datetime = NOW) -> list[int]:
    """The ids of new products that are due now."""
    with sessions.begin() as session:
        new = factories.new_product()
        return [products.create(session, new, now=now).id for _ in range(count)]


def stored_offers(sessions: Sessions, product_id: int) -> set[OfferData]:
    """The external offers of a product."""
    query = select(Offer).where(Offer.product_id == product_id, Offer.remote_id.is_not(None))
    with sessions() as session:
        return {
            OfferData(str(row.remote_id), row.price, row.items_in_stock) for row in session.scalars(query)
        }


def offer_rows(sessions: Sessions, product_id: int) -> list[tuple[Any, ...]]:
    """Every column of a product's offers, own ones included."""
    query = select(Offer.__table__).where(Offer.product_id == product_id).order_by(Offer.id)
    with sessions() as session:
        return [tuple(row) for row in session.execute(query)]


def refresh_of(sessions: Sessions, product_id: int) -> Refresh:
    with sessions() as session:
        return session.get_one(Refresh, product_id)


def product_of(sessions: Sessions, product_id: int) -> Product:
    with sessions() as session:
        return session.get_one(Product, product_id)


def set_refresh(sessions: Sessions, product_id: int, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(update(Refresh).where(Refresh.product_id == product_id).values(**values))


def set_product(sessions: Sessions, product_id: int, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(update(Product).where(Product.id == product_id).values(**values))


def claimed(sessions: Sessions, *, limit: int = 1_000, now: datetime = NOW) -> list[Claim]:
    with sessions.begin() as session:
        return ClaimTransaction(ClaimRequest(limit, due_by=now), now=now, lease=LEASE)(session)


def inserts_so_far(session: Session) -> int:
    """How many INSERT statements this connection has sent; servers only."""
    row = session.execute(text("SHOW SESSION STATUS LIKE 'Com_insert'")).one()
    return int(row[1])
