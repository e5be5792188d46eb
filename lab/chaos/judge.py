"""After a run: is what is stored, and all that ever was, what the service showed and callers wrote?"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Engine, select

from lab.chaos.plan import Findings
from lab.chaos.replay import Change, Listing, Point, complaints, external, replay, wrong_listings
from lab.chaos.writers import Writes
from lab.processes.simulator import Simulator
from productator.models import Offer, OfferChange, PricePoint, Product
from productator.prices.changes import OfferState, Summary
from simulator.market import Market

# What the simulator is started with.
MARKET = Market(seed=1, generation=1)
_MOST_NAMED = 5


def judge(engine: Engine, simulator: Simulator, writes: Iterable[Writes], findings: Findings) -> None:
    remote_ids = dict(_rows(engine, select(Product.id, Product.remote_id)))
    changes, points, stored = _changes(engine), _points(engine), _stored(engine)
    shown = _shown(simulator.log("offers"))
    wrong_history: list[str] = []
    wrong_offers: list[str] = []
    listings = 0
    for product_id, remote_id in remote_ids.items():
        of_product = changes[product_id]
        found = complaints(of_product, points[product_id], stored[product_id])
        wrong_history += [f"product {product_id}: {each}" for each in found]
        states = external(replay(of_product).states)
        listings += len(states)
        wrong = wrong_listings(states, shown.get(remote_id, []))
        wrong_offers += [f"product {product_id}: {sorted(each)}" for each in wrong]
    findings.note(f"{sum(map(len, changes.values()))} changes, {sum(map(len, points.values()))} price points")
    _tell(findings, wrong_offers, f"wrong offers among {listings} states that were ever stored")
    _tell(findings, wrong_history, "changes or price points missing, double or wrong")
    _judge_writes(changes, list(writes), findings)


def _judge_writes(changes: Mapping[int, list[Change]], writes: list[Writes], findings: Findings) -> None:
    own = Counter(
        change.price
        for of_product in changes.values()
        for change in of_product
        if change.remote_id is None and change.price is not None
    )
    acknowledged = set().union(*(each.acknowledged for each in writes))
    unknown = set().union(*(each.unknown for each in writes))
    findings.note(
        f"{len(acknowledged)} writes of own offers acknowledged, {len(unknown)} with an unknown end"
    )
    _tell(findings, [f"price {each}" for each in acknowledged - own.keys()], "acknowledged writes lost")
    invented = own.keys() - acknowledged - unknown
    _tell(findings, [f"price {each}" for each in invented], "writes recorded that were refused")
    twice = [f"price {each}" for each, times in own.items() if times > 1]
    _tell(findings, twice, "writes recorded twice")


def _tell(findings: Findings, wrong: list[str], what: str) -> None:
    for each in wrong[:_MOST_NAMED]:
        findings.note(f"        {each}")
    findings.expect(not wrong, f"{len(wrong)} {what}")


def _shown(log: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[int, Listing]]]:
    """What clients could rightly read of each product, by tick, from the simulator's own record."""
    ticks: dict[str, set[int]] = defaultdict(set)
    for entry in log:
        if "tick" in entry:
            ticks[entry["product"]].add(entry["tick"])
    return {product: [(tick, _truth(product, tick)) for tick in sorted(of)] for product, of in ticks.items()}


def _truth(product: str, tick: int) -> Listing:
    return frozenset((str(each.id), each.price, each.items_in_stock) for each in MARKET.offers(product, tick))


def _changes(engine: Engine) -> dict[int, list[Change]]:
    found: dict[int, list[Change]] = defaultdict(list)
    columns = [getattr(OfferChange, name) for name in Change._fields]
    for product_id, *values in _rows(engine, select(OfferChange.product_id, *columns)):
        found[product_id].append(Change(*values))
    return found


def _points(engine: Engine) -> dict[int, list[Point]]:
    found: dict[int, list[Point]] = defaultdict(list)
    columns = [getattr(PricePoint, name) for name in Summary._fields]
    for product_id, starts_at, *values in _rows(
        engine, select(PricePoint.product_id, PricePoint.starts_at, *columns)
    ):
        found[product_id].append(Point(starts_at, Summary(*values)))
    return found


def _stored(engine: Engine) -> dict[int, dict[int, OfferState]]:
    found: dict[int, dict[int, OfferState]] = defaultdict(dict)
    columns = [getattr(Offer, name) for name in OfferState._fields]
    for product_id, offer_id, *values in _rows(engine, select(Offer.product_id, Offer.id, *columns)):
        found[product_id][offer_id] = OfferState(*values)
    return found


def _rows(engine: Engine, query: Any) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]
