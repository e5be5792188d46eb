"""A product's offers as the service lists them: the good ones, and what is wrong with the others. Pure."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from productator.domain import MAX_AMOUNT, OfferData
from productator.errors import OffersProtocolError

_ID = re.compile(r"[!-~]{1,64}")
_MOST_NAMED = 3
_WRONG_ID = "its id is neither a whole number nor a short text"
_WRONG_AMOUNT = f"is not a whole number from 0 to {MAX_AMOUNT}"


class RefusedOffer(NamedTuple):
    """`id` is None where it cannot be read."""

    id: str | None
    reason: str

    def __str__(self) -> str:
        return f"{'an offer' if self.id is None else f'offer {self.id}'}: {self.reason}"


class OfferList(NamedTuple):
    offers: list[OfferData]
    refused: Sequence[RefusedOffer] = ()


def read(listed: list[Any]) -> OfferList:
    """Raises OffersProtocolError if all offers are wrong, or entries of one id contradict each other."""
    found: dict[str, OfferData] = {}
    refused = []
    for item in listed:
        offer = _offer(item)
        if isinstance(offer, RefusedOffer):
            refused.append(offer)
        elif found.setdefault(offer.id, offer) != offer:
            raise _contradiction(offer.id)
    for each in refused:
        if each.id in found:
            raise _contradiction(each.id)
    if refused and not found:
        # The product is not fresh then, and must not look so.
        raise OffersProtocolError(summary(refused))
    return OfferList(list(found.values()), tuple(refused))


def summary(refused: Sequence[RefusedOffer]) -> str:
    """A sentence that names the first few."""
    more = len(refused) - _MOST_NAMED
    named = [*map(str, refused[:_MOST_NAMED]), *([f"{more} more"] if more > 0 else [])]
    return f"{len(refused)} of its offers refused ({'; '.join(named)})."


def _contradiction(offer_id: str) -> OffersProtocolError:
    return OffersProtocolError(f"Offer {offer_id} is listed twice, with different values.")


def _offer(item: Any) -> OfferData | RefusedOffer:
    """Reads fields by name; unknown fields and the order of fields do not matter."""
    if not isinstance(item, dict):
        return RefusedOffer(None, "it is not an object")
    offer_id = _id(item.get("id"))
    price, items_in_stock = _amount(item.get("price")), _amount(item.get("items_in_stock"))
    if offer_id is None:
        return RefusedOffer(None, _WRONG_ID)
    if price is None:
        return RefusedOffer(offer_id, f"its price {_WRONG_AMOUNT}")
    if items_in_stock is None:
        return RefusedOffer(offer_id, f"its items_in_stock {_WRONG_AMOUNT}")
    return OfferData(offer_id, price, items_in_stock)


def _id(value: Any) -> str | None:
    # Integers in generation 1, UUIDs in generation 2: both are stored as text.
    whole = _whole(value)
    text = value if whole is None else str(whole)
    return text if isinstance(text, str) and _ID.fullmatch(text) else None


def _amount(value: Any) -> int | None:
    whole = _whole(value)
    return whole if whole is not None and 0 <= whole <= MAX_AMOUNT else None


def _whole(value: Any) -> int | None:
    """A whole number, also one that is written with a fraction: 1990.0. True is no number."""
    if type(value) is int:
        return value
    # Beyond that, floats skip whole numbers.
    if type(value) is float and value.is_integer() and abs(value) <= MAX_AMOUNT:
        return int(value)
    return None
