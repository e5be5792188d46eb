"""The market clock, and each product's offers as JSON, cached until the next tick."""

import json
import time
from typing import NamedTuple

from simulator.market import Market, MarketOffer


class Clock:
    """Counts ticks: one every `tick_s` seconds (none if 0), and those added by advance()."""

    def __init__(self, *, tick_s: float) -> None:
        self.tick_s = tick_s
        self._started = time.monotonic()
        self._added = 0

    def tick(self) -> int:
        passed = int((time.monotonic() - self._started) / self.tick_s) if self.tick_s else 0
        return passed + self._added

    def advance(self, ticks: int) -> None:
        self._added += ticks


class Listing(NamedTuple):
    """The JSON text of a product's offers at a tick."""

    tick: int
    body: bytes


class Listings:
    """The current listing of every product."""

    def __init__(self, market: Market, clock: Clock) -> None:
        self.market = market
        self.clock = clock
        self._latest: dict[str, Listing] = {}

    def now(self, product: str) -> Listing:
        tick = self.clock.tick()
        listing = self._latest.get(product)
        if listing is None or listing.tick != tick:
            listing = Listing(tick, encoded(offers_json(self.market.offers(product, tick))))
            self._latest[product] = listing
        return listing


def offers_json(offers: list[MarketOffer]) -> list[dict[str, int | str]]:
    return [
        {"id": offer.id, "price": offer.price, "items_in_stock": offer.items_in_stock} for offer in offers
    ]


def encoded(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
