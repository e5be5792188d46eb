"""The simulator as a process, controlled over HTTP."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from lab.processes.program import Program
from lab.waiting import PATIENCE_S

# A product's offers: (id at the Offers service, price, items in stock).
Listing = frozenset[tuple[str, int, int]]


class ShownListing(NamedTuple):
    """What an answer showed of a product's offers, and which offers it said nothing readable about."""

    tick: int
    offers: Listing
    # The id of an offer that was spoilt; None: there is none.
    spared: str | None = None
    # The spoilt offer had no id: it may be any.
    spares_all: bool = False

    def after(self, before: Listing) -> Listing:
        """What must be stored after this answer, if `before` was stored until then."""
        named = {offer_id for offer_id, _, _ in self.offers}
        spared = {
            each for each in before if each[0] not in named and (self.spares_all or each[0] == self.spared)
        }
        return self.offers | spared


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

    def shown(self) -> dict[str, set[ShownListing]]:
        """Every listing of each product that an answer has shown so far."""
        shown: dict[str, set[ShownListing]] = defaultdict(set)
        for entry in self.log("offers"):
            if "tick" in entry:
                truth = self.truth(entry["product"], entry["tick"])
                shown[entry["product"]].add(shown_by(entry, truth))
            elif entry["fault"] == "empty":
                shown[entry["product"]].add(ShownListing(0, frozenset()))
        return shown


def shown_by(entry: Mapping[str, Any], truth: Listing) -> ShownListing:
    """What the answer of an entry of the log showed, if this was the market at its tick."""
    if "spoilt" not in entry:
        return ShownListing(entry["tick"], truth)
    spoilt, has_id = entry["spoilt"]["id"], entry["spoilt"]["has_id"]
    good = frozenset(each for each in truth if each[0] != spoilt)
    return ShownListing(entry["tick"], good, spared=spoilt, spares_all=not has_id)
