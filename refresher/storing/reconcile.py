"""From stored and fetched offers to changes. Pure."""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from productator.domain import OfferData


@dataclass(frozen=True, slots=True)
class OfferChanges:
    added: list[OfferData]
    changed: list[OfferData]
    removed: list[str]

    def __len__(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)


def reconcile(
    stored: Iterable[OfferData], fetched: Iterable[OfferData], *, refused: Set[str | None] = frozenset()
) -> OfferChanges:
    """The changes that turn `stored` into `fetched`, except that offers with `refused` ids stay as they are.

    None among them: an id could not be read. Any stored offer may be meant, so none is removed.
    """
    before = {offer.id: offer for offer in stored}
    after = {offer.id: offer for offer in fetched}
    return OfferChanges(
        added=[offer for offer in after.values() if offer.id not in before],
        changed=[offer for offer in after.values() if before.get(offer.id, offer) != offer],
        removed=[]
        if None in refused
        else [offer_id for offer_id in before if offer_id not in after and offer_id not in refused],
    )
