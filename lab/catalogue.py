"""Products and offers as the database holds them, read without any of the programs."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVarTuple

from sqlalchemy import Engine, Row, Select, select
from sqlalchemy.orm import sessionmaker

from lab.processes.simulator import Listing, ShownListing, Simulator
from productator.catalogue import products
from productator.domain import NewProduct, utc_now
from productator.models import Offer, Product, Refresh

Columns = TypeVarTuple("Columns")
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Catalogue:
    engine: Engine

    def add_products(self, count: int, *, over_s: float = 0) -> None:
        """Creates products in one transaction, all due now or one after the other within `over_s`."""
        now, apart = utc_now(), timedelta(seconds=over_s / count)
        with sessionmaker(self.engine).begin() as session:
            for number in range(count):
                products.create(session, NewProduct(f"Product {number}", ""), now=now + number * apart)

    def remote_ids(self) -> dict[int, str]:
        query = select(Product.id, Product.remote_id).order_by(Product.id)
        return {row.id: row.remote_id for row in self._rows(query)}

    def listings(self) -> dict[str, Listing]:
        """The stored external offers of every product, by its id at the Offers service."""
        found: dict[str, set[tuple[str, int, int]]] = {each: set() for each in self.remote_ids().values()}
        query = select(Product.remote_id, Offer.remote_id, Offer.price, Offer.items_in_stock).join(
            Offer, Offer.product_id == Product.id
        )
        for product, remote_id, price, items_in_stock in self._rows(query):
            found[product].add((str(remote_id), price, items_in_stock))
        return {product: frozenset(offers) for product, offers in found.items()}

    def count_claims(self) -> int:
        """How many products are claimed."""
        return len(self._rows(select(Refresh.product_id).where(Refresh.claim_token.is_not(None))))

    def latest_due(self) -> datetime:
        return max(due_at for (due_at,) in self._rows(select(Refresh.due_at)))

    def stale_since(self, time: datetime) -> list[int]:
        """The products not refreshed after that time."""
        rows = self._rows(select(Refresh.product_id, Refresh.refreshed_at))
        return [product_id for product_id, refreshed_at in rows if not refreshed_at or refreshed_at <= time]

    def _rows(self, query: Select[*Columns]) -> list[Row[*Columns]]:
        with self.engine.connect() as connection:
            return list(connection.execute(query))


def wrongly_stored(simulator: Simulator, catalogue: Catalogue) -> dict[str, Listing]:
    """Products whose stored offers no answer of the service can have left."""
    stored = catalogue.listings()
    shown = simulator.shown()
    return {product: offers for product, offers in stored.items() if not _is_possible(offers, shown[product])}


def _is_possible(stored: Listing, shown: Set[ShownListing]) -> bool:
    """Whether one answer leaves them: what it says nothing of must have been shown by another one."""
    once_shown = {offer for each in shown for offer in each.offers}
    return any(stored == each.after(stored) and stored - each.offers <= once_shown for each in shown)
