"""One product's journey: register it if that is pending, then read its offers."""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime

from productator.domain import OfferData
from productator.errors import OffersServiceError, ProductNotRegistered
from productator.offers_service import contract
from productator.offers_service.contract import Answer, Request
from refresher.leases.claims import Claim


@dataclass(slots=True)
class Outcome:
    """What came of a claim.

    `offers` is None when they could not be read, then `error` says why; or when they are as they are stored.
    """

    claim: Claim
    offers: list[OfferData] | None
    error: OffersServiceError | None = None
    newly_registered: bool = False
    # Of the answer that told the offers.
    answer_digest: str | None = field(default=None, compare=False)
    # When the answer was read: what it tells was so then.
    read_at: datetime | None = field(default=None, compare=False)
    # When its last call was sent, by the monotonic clock.
    sent_at: float = field(default=0.0, compare=False)

    @property
    def is_unknown(self) -> bool:
        """The service does not know the product: its registration is pending again."""
        return isinstance(self.error, ProductNotRegistered)


Journey = Generator[Request, Answer, Outcome]


def journey(claim: Claim) -> Journey:
    """Yields requests and takes their answers; thrown an OffersServiceError when there was none."""
    newly_registered = False
    try:
        if claim.draft is not None:
            name, description = claim.draft
            contract.check_registered((yield contract.registration(claim.remote_id, name, description)))
            newly_registered = True
        answer = yield contract.reading(claim.remote_id)
        digest = contract.digest(answer)
        is_same = digest is not None and digest == claim.answer_digest
        offers = None if is_same else contract.offers(answer)
    except OffersServiceError as error:
        return Outcome(claim, None, error, newly_registered=newly_registered)
    return Outcome(claim, offers, newly_registered=newly_registered, answer_digest=digest)
