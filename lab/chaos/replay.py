"""Checks that a history can be true: replayed, it gives every price point and the stored offers. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from lab.processes.simulator import Listing, ShownListing
from productator.domain import ChangeKind
from productator.prices.changes import Aggregate, OfferState, aggregate

OfferStates = dict[int, OfferState]


class ReplayedChange(NamedTuple):
    changed_at: datetime
    offer_id: int
    kind: int
    remote_id: str | None
    price: int | None
    items_in_stock: int | None


class RecordedPoint(NamedTuple):
    starts_at: datetime
    aggregate: Aggregate


class ReplayedHistory(NamedTuple):
    """The offers from each change on, and the changes that cannot be true."""

    states: list[tuple[datetime, OfferStates]]
    errors: list[str]


def replay(changes: Iterable[ReplayedChange]) -> ReplayedHistory:
    offers: OfferStates = {}
    history = ReplayedHistory([], [])
    for at, together in groupby(sorted(changes), key=lambda change: change.changed_at):
        for change in together:
            history.errors.extend(_errors(offers.get(change.offer_id), change))
            if change.price is None or change.items_in_stock is None:
                offers.pop(change.offer_id, None)
            else:
                offers[change.offer_id] = OfferState(change.remote_id, change.price, change.items_in_stock)
        history.states.append((at, dict(offers)))
    return history


def _errors(before: OfferState | None, change: ReplayedChange) -> Iterator[str]:
    after = (change.remote_id, change.price, change.items_in_stock)
    if (before is None) != (change.kind == ChangeKind.APPEARED):
        yield f"offer {change.offer_id} was {before} before {change}"
    if (change.price is None) != (change.kind == ChangeKind.REMOVED):
        yield f"the kind is wrong: {change}"
    if before == after:
        yield f"recorded twice: {change}"


def history_errors(
    changes: Iterable[ReplayedChange], points: Sequence[RecordedPoint], stored: Mapping[int, OfferState]
) -> list[str]:
    """Everything that is wrong with one product's history."""
    history = replay(changes)
    found = list(history.errors)
    last = history.states[-1][1] if history.states else {}
    if last != stored:
        found.append(f"the history ends with {sorted(last.items())}, stored is {sorted(stored.items())}")
    if wrong := set(_points(history.states)) ^ set(points):
        first = min(point.starts_at for point in wrong)
        found.append(f"{len(wrong)} price points missing or wrong, the first at {first}")
    return found


def _points(states: Iterable[tuple[datetime, OfferStates]]) -> Iterator[RecordedPoint]:
    before = aggregate([])
    for at, offers in states:
        after = aggregate(offers.values())
        if after != before:
            yield RecordedPoint(at, after)
        before = after


def external_listings(states: Iterable[tuple[datetime, OfferStates]]) -> list[Listing]:
    """The external offers of each state, without repetitions."""
    listings = [
        frozenset(
            (each.remote_id, each.price, each.items_in_stock)
            for each in offers.values()
            if each.remote_id is not None
        )
        for _, offers in states
    ]
    return [listing for listing, _ in groupby(listings)]


def wrong_listings(listings: Sequence[Listing], shown: Sequence[ShownListing]) -> list[Listing]:
    """Listings that no answer left, or only one before a later one; `shown` is in order of its ticks.

    An empty listing may come at any time: a fault answers with one, which the contract allows.
    """
    wrong, earliest = [], -1
    for before, listing in pairwise([frozenset(), *listings]):
        if not listing:
            continue
        ticks = [each.tick for each in shown if each.tick >= earliest and each.after(before) == listing]
        if ticks:
            earliest = ticks[0]
        else:
            wrong.append(listing)
    return wrong
