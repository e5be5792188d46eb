"""After a run: everything stored, now or ever, was shown by the service or written by callers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Engine, select

from lab.chaos.offer_writers import OfferWrites
from lab.chaos.plan import Findings
from lab.chaos.replay import (
    RecordedPoint,
    ReplayedChange,
    external_listings,
    history_errors,
    replay,
    wrong_listings,
)
from lab.processes.simulator import Listing, ShownListing, Simulator, shown_by
from productator.models import Offer, OfferChange, PricePoint, Product
from productator.prices.changes import Aggregate, OfferState
from simulator.market import Market

# The simulator starts with the same market.
MARKET = Market(seed=1, generation=1)
_MOST_NAMED = 5


def check_stored_state(
    engine: Engine, simulator: Simulator, writes: Sequence[OfferWrites], findings: Findings
) -> None:
    changes, points, stored = _changes(engine), _points(engine), _stored(engine)
    shown = _shown(simulator.log("offers"))
    history: list[str] = []
    wrong_offers: list[str] = []
    listings = 0
    for product_id, remote_id in _rows(engine, select(Product.id, Product.remote_id)):
        found = history_errors(changes[product_id], points[product_id], stored[product_id])
        history += [f"product {product_id}: {each}" for each in found]
        states = external_listings(replay(changes[product_id]).states)
        listings += len(states)
        wrong = wrong_listings(states, shown.get(remote_id, []))
        wrong_offers += [f"product {product_id}: {sorted(each)}" for each in wrong]
    findings.note(f"{sum(map(len, changes.values()))} changes, {sum(map(len, points.values()))} price points")
    _expect_none(findings, wrong_offers, f"wrong offers among {listings} states that were ever stored")
    _expect_none(findings, history, "changes or price points missing, double or wrong")
    _check_writes(changes, writes, findings)


def _check_writes(
    changes: Mapping[int, list[ReplayedChange]], writes: Sequence[OfferWrites], findings: Findings
) -> None:
    recorded = Counter(
        change.price
        for of_product in changes.values()
        for change in of_product
        if change.remote_id is None and change.price is not None
    )
    acknowledged = {price for each in writes for price in each.acknowledged}
    unknown = {price for each in writes for price in each.unknown}
    findings.note(
        f"{len(acknowledged)} writes of own offers acknowledged, {len(unknown)} without a final answer"
    )
    lost = acknowledged - recorded.keys()
    _expect_none(findings, [f"price {each}" for each in lost], "acknowledged writes lost")
    refused = recorded.keys() - acknowledged - unknown
    _expect_none(findings, [f"price {each}" for each in refused], "writes recorded that were refused")
    twice = [price for price, times in recorded.items() if times > 1]
    _expect_none(findings, [f"price {each}" for each in twice], "writes recorded twice")


def _expect_none(findings: Findings, found: list[str], name: str) -> None:
    for each in found[:_MOST_NAMED]:
        findings.note(f"        {each}")
    findings.expect(not found, f"{len(found)} {name}")


def _shown(log: Iterable[Mapping[str, Any]]) -> dict[str, list[ShownListing]]:
    """What answers have shown of each product's offers, by tick, from the simulator's own log."""
    shown: dict[str, set[ShownListing]] = defaultdict(set)
    for entry in log:
        if "tick" in entry:
            product = entry["product"]
            shown[product].add(shown_by(entry, _truth(product, entry["tick"])))
    return {product: sorted(each, key=lambda listing: listing.tick) for product, each in shown.items()}


@cache
def _truth(product: str, tick: int) -> Listing:
    return frozenset((str(each.id), each.price, each.items_in_stock) for each in MARKET.offers(product, tick))


def _changes(engine: Engine) -> dict[int, list[ReplayedChange]]:
    found: dict[int, list[ReplayedChange]] = defaultdict(list)
    columns = [getattr(OfferChange, name) for name in ReplayedChange._fields]
    for product_id, *values in _rows(engine, select(OfferChange.product_id, *columns)):
        found[product_id].append(ReplayedChange(*values))
    return found


def _points(engine: Engine) -> dict[int, list[RecordedPoint]]:
    found: dict[int, list[RecordedPoint]] = defaultdict(list)
    columns = [getattr(PricePoint, name) for name in Aggregate._fields]
    query = select(PricePoint.product_id, PricePoint.starts_at, *columns)
    for product_id, starts_at, *values in _rows(engine, query):
        found[product_id].append(RecordedPoint(starts_at, Aggregate(*values)))
    return found


def _stored(engine: Engine) -> dict[int, dict[int, OfferState]]:
    found: dict[int, dict[int, OfferState]] = defaultdict(dict)
    columns = [getattr(Offer, name) for name in OfferState._fields]
    for product_id, offer_id, *values in _rows(engine, select(Offer.product_id, Offer.id, *columns)):
        found[product_id][offer_id] = OfferState(*values)
    return found


def _rows(engine: Engine, query: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(query))
