"""From what offers were and became to what is kept of it. Pure: both programs record by these rules."""

from collections.abc import Iterable, Mapping
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


class Summary(NamedTuple):
    """A product at a glance; prices are those of offers in stock, None when there is none."""

    lowest_price: int | None
    highest_price: int | None
    average_price: int | None
    offers: int
    items_in_stock: int


def events(before: Offers, after: Offers) -> list[OfferEvent]:
    """What happened to offers for `before` to become `after`; each is named once at most."""
    gone = [
        OfferEvent(offer_id, ChangeKind.REMOVED, before[offer_id].remote_id, None, None)
        for offer_id in before.keys() - after.keys()
    ]
    kept = [
        OfferEvent(offer_id, ChangeKind.CHANGED if offer_id in before else ChangeKind.APPEARED, *state)
        for offer_id, state in after.items()
        if before.get(offer_id) != state
    ]
    return gone + kept


def summary(offers: Iterable[OfferState]) -> Summary:
    states = list(offers)
    prices = [price for _, price, items in states if items]
    # No sum may exceed what the column and every reader of JSON can hold.
    items = min(sum([items for _, _, items in states]), MAX_AMOUNT)
    if not prices:
        return Summary(None, None, None, len(states), items)
    return Summary(min(prices), max(prices), rounded(sum(prices) * SCALE, len(prices)), len(states), items)


def rounded(amount: int, parts: int) -> int:
    """The quotient as a whole number, half up; exact for numbers of any size."""
    return (2 * amount + parts) // (2 * parts)
