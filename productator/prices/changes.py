"""What is recorded when a product's offers change: an event for each offer, and a new aggregate. Pure."""

from collections.abc import Iterable, Mapping
from itertools import compress
from typing import NamedTuple

from productator.domain import MAX_AMOUNT, ChangeKind

# Average prices are whole thousandths.
SCALE = 1_000


class OfferState(NamedTuple):
    # None: an own offer.
    remote_id: str | None
    price: int
    items_in_stock: int


# A product's offers by id, own ones included.
Offers = Mapping[int, OfferState]


class OfferEvent(NamedTuple):
    """What an offer became; price and stock are None when it was removed."""

    offer_id: int
    kind: ChangeKind
    remote_id: str | None
    price: int | None
    items_in_stock: int | None


class Aggregate(NamedTuple):
    """All offers of a product together; prices are those of offers in stock, None when there is none."""

    lowest_price: int | None
    highest_price: int | None
    average_price: int | None
    offers: int
    items_in_stock: int


def events(before: Offers, after: Offers) -> list[OfferEvent]:
    """What happened to each offer for `before` to become `after`: at most one event an offer."""
    removed = [
        OfferEvent(offer_id, ChangeKind.REMOVED, before[offer_id].remote_id, None, None)
        for offer_id in before.keys() - after.keys()
    ]
    changed = [
        OfferEvent(offer_id, ChangeKind.CHANGED if offer_id in before else ChangeKind.APPEARED, *state)
        for offer_id, state in after.items()
        if before.get(offer_id) != state
    ]
    return removed + changed


def aggregate(offers: Iterable[OfferState]) -> Aggregate:
    _, prices, items = tuple(zip(*offers, strict=True)) or ((), (), ())
    # The column and every JSON reader can hold so much.
    in_stock, all_items = list(compress(prices, items)), min(sum(items), MAX_AMOUNT)
    if not in_stock:
        return Aggregate(None, None, None, len(items), all_items)
    average = rounded(sum(in_stock) * SCALE, len(in_stock))
    return Aggregate(min(in_stock), max(in_stock), average, len(items), all_items)


def rounded(amount: int, parts: int) -> int:
    """The quotient as a whole number, half up; exact for numbers of any size."""
    return (2 * amount + parts) // (2 * parts)
