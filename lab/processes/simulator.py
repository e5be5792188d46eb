"""The simulator as a process, controlled over HTTP."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import requests

from lab.processes.program import Program
from lab.waiting import PATIENCE_S

# A product's offers: (id at the Offers service, price, items in stock).
Listing = frozenset[tuple[str, int, int]]


@dataclass
class Simulator(Program):
    """The stand-in for the Offers service."""

    _listings: dict[tuple[str, int], Listing] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        return self.url("/api/v1")

    def control(self, method: str, path: str, content: Any = None) -> Any:
        url = self.url(f"/control/{path}")
        response = requests.request(method, url, json=content, timeout=PATIENCE_S)
        response.raise_for_status()
        return response.json() if response.content else None

    def set_faults(self, *rules: dict[str, Any]) -> None:
        self.control("PUT", "faults", list(rules))

    def fired(self) -> list[int]:
        """How many calls each rule in force has struck."""
        return [rule["fired"] for rule in self.control("GET", "faults")]

    def log(self, call: str | None = None) -> list[dict[str, Any]]:
        text = requests.get(self.url("/control/log"), timeout=PATIENCE_S).text
        entries = (json.loads(line) for line in text.splitlines())
        return [entry for entry in entries if call in {None, entry["call"]}]

    def truth(self, remote_id: str, tick: int | None = None) -> Listing:
        """The offers of a product at a tick (None: now), without any fault."""
        if tick is None:
            tick = self.control("GET", "clock")["tick"]
        if (remote_id, tick) not in self._listings:
            offers = self.control("GET", f"products/{remote_id}/offers?tick={tick}")["offers"]
            self._listings[remote_id, tick] = frozenset(
                (str(each["id"]), each["price"], each["items_in_stock"]) for each in offers
            )
        return self._listings[remote_id, tick]

    def shown(self) -> dict[str, set[Listing]]:
        """Every listing of each product that was a correct answer to a call so far."""
        ticks: dict[str, set[int]] = defaultdict(set)
        shown: dict[str, set[Listing]] = defaultdict(set)
        for entry in self.log("offers"):
            if "tick" in entry:
                ticks[entry["product"]].add(entry["tick"])
            elif entry["fault"] == "empty":
                shown[entry["product"]].add(frozenset())
        for remote_id, of_product in ticks.items():
            shown[remote_id] |= {self.truth(remote_id, tick) for tick in of_product}
        return shown
