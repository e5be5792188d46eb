"""Whether a history can be true: replayed, it has to give every aggregate and what is stored. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from productator.domain import ChangeKind
from productator.prices.changes import Aggregate, OfferState, aggregate

Offers = dict[int, OfferState]
# A product's external offers: (id at the Offers service, price, items in stock).
Listing = frozenset[tuple[str, int, int]]


class Change(NamedTuple):
    changed_at: datetime
    offer_id: int
    kind: int
    remote_id: str | None
    price: int | None
    items_in_stock: int | None


class Point(NamedTuple):
    starts_at: datetime
    aggregate: Aggregate


class Replayed(NamedTuple):
    """What the offers were from each change on, and what is wrong with the changes."""

    states: list[tuple[datetime, Offers]]
    complaints: list[str]


def replay(changes: Iterable[Change]) -> Replayed:
    offers: Offers = {}
    states, complaints = [], []
    for at, together in groupby(sorted(changes), key=lambda change: change.changed_at):
        for change in together:
            complaints += _complaints(offers.get(change.offer_id), change)
            if change.price is None or change.items_in_stock is None:
                offers.pop(change.offer_id, None)
            else:
                offers[change.offer_id] = OfferState(change.remote_id, change.price, change.items_in_stock)
        states.append((at, dict(offers)))
    return Replayed(states, complaints)


def _complaints(before: OfferState | None, change: Change) -> Iterator[str]:
    after = (change.remote_id, change.price, change.items_in_stock)
    if (before is None) != (change.kind == ChangeKind.APPEARED):
        yield f"offer {change.offer_id} is {before} when it becomes {change}"
    if (change.price is None) != (change.kind == ChangeKind.REMOVED):
        yield f"the kind is wrong: {change}"
    if before == after:
        yield f"recorded twice: {change}"


def complaints(
    changes: Iterable[Change], points: Sequence[Point], stored: Mapping[int, OfferState]
) -> list[str]:
    """Of one product: everything that is wrong with its history."""
    replayed = replay(changes)
    found = list(replayed.complaints)
    last = replayed.states[-1][1] if replayed.states else {}
    if last != stored:
        found.append(f"the history ends with {sorted(last.items())}, stored is {sorted(stored.items())}")
    expected = list(_points(replayed.states))
    if wrong := set(expected) ^ set(points):
        first = min(point.starts_at for point in wrong)
        found.append(f"{len(wrong)} price points missing or wrong, the first at {first}")
    return found


def _points(states: Iterable[tuple[datetime, Offers]]) -> Iterator[Point]:
    before = aggregate([])
    for at, offers in states:
        after = aggregate(offers.values())
        if after != before:
            yield Point(at, after)
        before = after


def external(states: Iterable[tuple[datetime, Offers]]) -> list[Listing]:
    """What the external offers were, one after the other."""
    listings = [
        frozenset(
            (each.remote_id, each.price, each.items_in_stock)
            for each in offers.values()
            if each.remote_id is not None
        )
        for _, offers in states
    ]
    return [listing for listing, _ in groupby(listings)]


def wrong_listings(listings: Iterable[Listing], shown: Sequence[tuple[int, Listing]]) -> list[Listing]:
    """Those that the service never showed, or only before a later one; `shown` is in the order of its ticks.

    An empty list that a fault put in the place of the truth, which is legal, may come at any time.
    """
    wrong, earliest = [], -1
    for listing in filter(None, listings):
        ticks = [tick for tick, each in shown if each == listing and tick >= earliest]
        if ticks:
            earliest = ticks[0]
        else:
            wrong.append(listing)
    return wrong
