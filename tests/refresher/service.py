"""A worker beside a real Offers service; the test turns its loop."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, update

from productator.domain import OfferData, utc_now
from productator.models import Product, Refresh, ServiceToken
from productator.offers_service.access_token import SharedTokenSource
from productator.offers_service.http_call import HttpCall
from productator.workers.stopping import StopFlag
from refresher.fetching.circuit_breaker import CircuitBreaker
from refresher.fetching.fetcher import Fetcher
from refresher.fetching.transport import Transport
from refresher.leases.leases import Leases
from refresher.leases.schedule import Rhythm
from refresher.metrics import Metrics
from refresher.storing.writer import BatchWriter
from refresher.worker import Worker
from tests.refresher.rows import Sessions, stored_offers, stored_products
from tests.simulator.conftest import RunningSimulator

PATIENCE_S = 20.0
# Only where no answer comes: on a busy machine a good answer may take longer.
SHORT_S = 0.4
CONCURRENCY = 8
PERIOD = timedelta(seconds=30)


LEASE = timedelta(minutes=2)
# How long a worker waits for something to happen.
IDLE_S = 0.02


@dataclass(frozen=True)
class Installation:
    """A database, the Offers service that its products are registered at, and the refresh token for it."""

    sessions: Sessions
    simulator: RunningSimulator
    refresh_token: str | None

    @contextmanager
    def worker(
        self,
        *,
        sessions: Sessions | None = None,
        probe_every_s: float = 0.1,
        period: timedelta = PERIOD,
        timeout_s: float = PATIENCE_S,
    ) -> Iterator[Worker]:
        """A worker as `python -m refresher` wires it; stopped at the end."""
        address, used = self.simulator.address, sessions or self.sessions
        transport = Transport(address, concurrency=CONCURRENCY, timeout_s=timeout_s)
        tokens = SharedTokenSource(
            HttpCall(address, timeout_s=timeout_s),
            used,
            address=address,
            refresh_token=self.refresh_token,
            timeout_s=timeout_s,
        )
        worker = Worker(
            Leases(used, Rhythm(period=period, lease=LEASE), wake=transport.wake),
            Fetcher(transport, tokens, rejection_wait_s=0.1),
            BatchWriter(used, period=period, wake=transport.wake),
            CircuitBreaker(probe_every_s=probe_every_s),
            Metrics(CollectorRegistry()),
            idle_s=IDLE_S,
        )
        yield worker
        worker.finish(grace_s=2)
        transport.close()

    def refresh_once(self, *, timeout_s: float = PATIENCE_S) -> bool:
        """What `python -m refresher --once` does; whether all succeeded."""
        with self.worker(timeout_s=timeout_s) as worker:
            return worker.run_once(StopFlag(), on_progress=lambda _: None).is_success

    def new_products(self, count: int) -> list[int]:
        return stored_products(self.sessions, count, now=utc_now())

    def refreshed_products(self, count: int) -> list[int]:
        """New products that are registered and have their offers, and are due again."""
        product_ids = self.new_products(count)
        assert self.refresh_once()
        self.simulator.control("DELETE", "log")
        self.make_due()
        return product_ids

    def make_due(self) -> None:
        with self.sessions.begin() as session:
            session.execute(update(Refresh).values(due_at=utc_now(), failures=0))

    def age_token(self) -> None:
        """As if it had been obtained long ago: a young one is not renewed."""
        with self.sessions.begin() as session:
            session.execute(update(ServiceToken).values(obtained_at=utc_now() - timedelta(hours=1)))

    def let_token_expire(self) -> None:
        """By our clock, not by the service's."""
        with self.sessions.begin() as session:
            session.execute(update(ServiceToken).values(expires_at=utc_now()))

    def forget_failed_renewals(self) -> None:
        """As if the pause after a failed renewal of the token were over."""
        with self.sessions.begin() as session:
            session.execute(update(ServiceToken).values(retry_at=None))

    def offers(self) -> dict[int, set[OfferData]]:
        """The stored external offers, by product."""
        return {product_id: stored_offers(self.sessions, product_id) for product_id in self._remote_ids()}

    def true_offers(self) -> dict[int, set[OfferData]]:
        """What the Offers service would answer now."""
        return {key: self._truth(remote_id) for key, remote_id in self._remote_ids().items()}

    def truth_in_order(self, product_id: int) -> list[OfferData]:
        """What the Offers service would answer now, in its order."""
        return self._listed(self._remote_ids()[product_id])

    def is_fresh(self) -> bool:
        return self.offers() == self.true_offers()

    def count_pending(self) -> int:
        query = select(func.count()).select_from(Product).where(Product.registered_at.is_(None))
        with self.sessions() as session:
            return session.scalar(query) or 0

    def remote_ids(self, product_ids: list[int]) -> list[str]:
        return [remote_id for key, remote_id in self._remote_ids().items() if key in product_ids]

    def calls(self, name: str) -> dict[str, int]:
        """How often the service was called since its log was cleared, by the status of the answer."""
        counts: dict[str, int] = self.simulator.control("GET", "counts")[name]
        return counts

    def _remote_ids(self) -> dict[int, str]:
        with self.sessions() as session:
            return dict(session.execute(select(Product.id, Product.remote_id)).all())

    def _truth(self, remote_id: str) -> set[OfferData]:
        return set(self._listed(remote_id))

    def _listed(self, remote_id: str) -> list[OfferData]:
        found: list[dict[str, Any]] = self.simulator.control("GET", f"products/{remote_id}/offers")["offers"]
        return [OfferData(str(each["id"]), each["price"], each["items_in_stock"]) for each in found]


def turn_until(worker: Worker, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the worker does not get there"
        # A condition may cost dozens of calls, which on a busy machine take longer than many turns.
        turn(worker, 10)


def turn(worker: Worker, times: int) -> None:
    for _ in range(times):
        worker.turn(due_by=None)
