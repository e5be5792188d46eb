"""Callers of the API that write own offers while everything else is being broken."""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

import requests


class CalledApi(Protocol):
    """An API, or something that notes the calls of one."""

    def request(self, method: str, path: str, **options: Any) -> requests.Response: ...


@dataclass
class OfferWrites:
    """Prices, each written once, by what the API answered; `unknown`: whether it was stored is not known."""

    acknowledged: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)


class OfferWriter:
    """One caller in a thread; no other writes its offers, and it never writes a price twice."""

    def __init__(
        self,
        apis: Sequence[CalledApi],
        products: Sequence[int],
        *,
        first_price: int,
        seed: int,
        pause_s: float = 0.1,
    ) -> None:
        """It pauses for `pause_s` at the most after each write."""
        self.writes = OfferWrites()
        self._pause_s = pause_s
        self._apis = apis
        self._products = products
        self._prices = count(first_price)
        self._chance = random.Random(seed)
        self._offers: list[str] = []
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping:
            self._write()
            time.sleep(self._chance.uniform(0, self._pause_s))

    def _write(self) -> None:
        price = next(self._prices)
        offer = {"price": price, "items_in_stock": self._chance.randrange(3)}
        choice = self._chance.random()
        if not self._offers or (len(self._offers) < 10 and choice < 0.2):
            path = f"/products/{self._chance.choice(self._products)}/offers"
            created = self._send("POST", path, price, offer)
            if created is not None:
                self._offers.append(f"{path}/{created['id']}")
        elif choice < 0.3:
            # The offer is not written again, so it does not matter whether this arrives.
            self._send("DELETE", self._offers.pop(), None, None)
        else:
            self._send("PUT", self._chance.choice(self._offers), price, offer)

    def _send(self, method: str, path: str, price: int | None, body: object) -> dict[str, Any] | None:
        try:
            answer = self._chance.choice(self._apis).request(method, path, json=body)
        except requests.RequestException:
            self._note(self.writes.unknown, price)
            return None
        if answer.ok:
            self._note(self.writes.acknowledged, price)
            return answer.json() if answer.content else {}
        self._note(self.writes.unknown if answer.status_code >= 500 else self.writes.refused, price)
        return None

    def _note(self, prices: set[int], price: int | None) -> None:
        if price is not None:
            prices.add(price)
