"""One product's calls to the Offers service: register it if that is pending, then read its offers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from productator.domain import OfferData
from productator.errors import OffersServiceError, ProductNotRegistered
from productator.offers_service import contract
from productator.offers_service.contract import OffersAnswer
from productator.offers_service.http_call import Reply
from productator.offers_service.offer_list import RefusedOffer
from refresher.leases.claims import Claim


@dataclass(slots=True)
class FetchResult:
    """What fetching a claimed product has led to.

    `offers` is None if they could not be read, then `error` says why; or if they are the stored ones.
    """

    claim: Claim
    offers: list[OfferData] | None
    error: OffersServiceError | None = None
    # Of the list that the offers come from.
    refused: Sequence[RefusedOffer] = ()
    newly_registered: bool = False
    # Of the answer that the offers come from; None as well if some were refused, so that the next answer is
    # read as a whole again, and says so again.
    answer_digest: str | None = field(default=None, compare=False)
    # How long that answer was: the memory that the offers take grows with it.
    answer_bytes: int = field(default=0, compare=False)
    # When that answer arrived: its offers were true then.
    read_at: datetime | None = field(default=None, compare=False)
    # When the last call was sent, by the monotonic clock.
    sent_at: float = field(default=0.0, compare=False)

    @property
    def is_product_unknown(self) -> bool:
        """The service does not know the product: its registration is pending again."""
        return isinstance(self.error, ProductNotRegistered)


class Journey:
    """`request` is the next request to send; `advance` takes its reply."""

    __slots__ = (
        "_is_registering",
        "_most_offers",
        "_newly_registered",
        "claim",
        "is_second_try",
        "request",
        "sent_at",
        "token",
    )

    def __init__(self, claim: Claim, *, most_offers: int = contract.MAX_OFFERS) -> None:
        self.claim = claim
        self._most_offers = most_offers
        # How the request was sent: the access token, when, and whether it is sent again after a 401.
        self.token = ""
        self.sent_at = 0.0
        self.is_second_try = False
        self._newly_registered = False
        self._is_registering = claim.to_register is not None
        if claim.to_register is None:
            self.request = contract.reading(claim.remote_id)
        else:
            self.request = contract.registration(claim.remote_id, *claim.to_register)

    def advance(self, reply: Reply) -> FetchResult | None:
        """The result if the journey has ended; None: there is a next request."""
        if isinstance(reply, OffersServiceError):
            return self._failure(reply)
        try:
            if not self._is_registering:
                return self._success(reply)
            contract.check_registered(reply)
        except OffersServiceError as error:
            return self._failure(error)
        self.request = contract.reading(self.claim.remote_id)
        self._is_registering, self._newly_registered, self.is_second_try = False, True, False
        return None

    def _success(self, answer: OffersAnswer) -> FetchResult:
        digest = contract.digest(answer)
        result = FetchResult(
            self.claim,
            None,
            newly_registered=self._newly_registered,
            answer_digest=digest,
            sent_at=self.sent_at,
        )
        if digest is None or digest != self.claim.answer_digest:
            result.offers, result.refused = contract.offers(answer, most=self._most_offers)
            result.answer_bytes = len(answer.body)
        if result.refused:
            result.answer_digest = None
        return result

    def _failure(self, error: OffersServiceError) -> FetchResult:
        # What it was raised in and from would keep the answer, and all that was read of it.
        error.__traceback__ = error.__cause__ = error.__context__ = None
        return FetchResult(
            self.claim, None, error, newly_registered=self._newly_registered, sent_at=self.sent_at
        )
