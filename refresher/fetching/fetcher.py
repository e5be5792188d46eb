"""Fetches the offers of many products at once: sends requests with the access token, and takes replies.

Which requests a product needs, registration included, is in `journey.py`.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from productator.domain import utc_now
from productator.errors import OffersProtocolError, OffersServiceError, TooMuchAtOnce
from productator.offers_service import contract
from productator.offers_service.access_token import TokenSource
from productator.offers_service.contract import OffersAnswer
from productator.offers_service.http_call import Reply
from refresher.fetching.concurrency import ConcurrencyLimit
from refresher.fetching.current_token import CurrentToken
from refresher.fetching.journey import FetchResult, Journey
from refresher.fetching.rejection import Fault, Rejections
from refresher.fetching.transport import Transport
from refresher.leases.claims import Claim

# How many journeys are worth having for each call that may be under way: when it ends the next one is there.
_JOURNEYS_A_CALL = 2
# How many calls may be under way with a token that the service has not accepted yet.
_WITH_A_NEW_TOKEN = 32
# How long a 401 waits for another product to check the token with.
_REJECTION_WAIT_S = 5.0
# The key of a call that only checks the token.
_TOKEN_CHECK = object()


@dataclass
class Fetched:
    """What has come of the journeys since the last time."""

    results: list[FetchResult] = field(default_factory=list)
    # Claims that were not sent, because they would lapse before an answer could come.
    unsent: list[Claim] = field(default_factory=list)
    # How many calls have ended, by the status of the answer.
    calls: Counter[str] = field(default_factory=Counter)


class Fetcher:
    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        *,
        most_offers: int = contract.MAX_OFFERS,
        rejection_wait_s: float = _REJECTION_WAIT_S,
    ) -> None:
        """`most_offers`: of one product; a longer list is refused."""
        self._transport = transport
        self._most_offers = most_offers
        self._limit = ConcurrencyLimit(transport.free_calls)
        self._token = CurrentToken(tokens, wake=transport.wake)
        self._rejections: Rejections[Journey] = Rejections(wait_s=rejection_wait_s)
        self._waiting: deque[Journey] = deque()
        self._under_way: set[Journey] = set()
        self._fetched = Fetched()

    @property
    def unfinished(self) -> int:
        """How many journeys have not ended."""
        return len(self._waiting) + len(self._under_way) + len(self._rejections)

    @property
    def capacity(self) -> int:
        """How many unfinished journeys are worth having: the fewer calls may be under way, the fewer."""
        return _JOURNEYS_A_CALL * self._limit.value

    @property
    def is_busy(self) -> bool:
        """Whether journeys or a token are under way. A token must not get lost: there is one at a time."""
        return self.unfinished > 0 or self._token.is_renewing

    def start(self, claims: Iterable[Claim]) -> None:
        self._waiting.extend(Journey(claim, most_offers=self._most_offers) for claim in claims)

    def fetch(self, wait_s: float, *, unstored_bytes: int = 0) -> Fetched:
        """Sends what may be sent, and takes replies; waits up to `wait_s` for the first, or to be woken.

        `unstored_bytes`: of answers whose offers still wait to be stored.
        """
        self._transport.memory.unstored = unstored_bytes
        self._send_waiting()
        for call, reply in self._transport.receive(wait_s):
            self._take(call, reply)
        self._send_waiting()
        if not self._waiting:
            self._take_renewed_token()
        fetched, self._fetched = self._fetched, Fetched()
        return fetched

    def stand_back(self) -> list[Claim]:
        """The service is down: drops what waits, and begins with few calls when it returns."""
        self._limit.restart()
        return self.drop_waiting()

    def drop_waiting(self) -> list[Claim]:
        """Ends the journeys without a call under way, also those that wait after a 401; returns claims."""
        dropped = [*self._waiting, *self._rejections.take()]
        self._waiting.clear()
        return [journey.claim for journey in dropped]

    def drop_all(self) -> list[Claim]:
        """Ends all journeys; returns their claims."""
        dropped = [journey.claim for journey in self._under_way] + self.drop_waiting()
        self._under_way.clear()
        return dropped

    def _send_waiting(self) -> None:
        if self._rejections and not self._rejections.is_checking:
            self._check_token()
        while self._waiting and self._may_send() and (self._token.is_valid or self._renew_token()):
            journey = self._waiting.popleft()
            now = time.monotonic()
            if journey.claim.lapses_at < now + self._transport.timeout_s:
                self._fetched.unsent.append(journey.claim)
                continue
            if self._rejections:
                self._rejections.check_with(journey)
            journey.sent_at, journey.token = now, self._token.value
            self._under_way.add(journey)
            self._transport.send(journey, journey.request, token=journey.token)

    def _may_send(self) -> bool:
        if self._rejections:
            return not self._rejections.is_checking
        if self._transport.memory.is_scarce:
            return False
        limit = self._limit.value
        if not self._token.accepted_for_product:
            limit = min(limit, _WITH_A_NEW_TOKEN)
        return len(self._under_way) < limit

    def _take(self, call: object, reply: Reply) -> None:
        answer = reply if isinstance(reply, OffersAnswer) else None
        status = None if answer is None else answer.status
        self._fetched.calls["none" if answer is None else contract.status_label(answer)] += 1
        if isinstance(reply, TooMuchAtOnce):
            self._rejections.repeat_check(call)
        fault = self._rejections.fault_shown_by(call, status=status)
        if fault is not None:
            self._resolve_rejections(fault)
        if not isinstance(call, Journey):
            return
        self._under_way.discard(call)
        if answer is None or contract.is_overload(answer):
            self._limit.refused(sent_at=call.sent_at, now=time.monotonic())
        else:
            self._limit.answered(sent_at=call.sent_at, now=time.monotonic())
        if isinstance(reply, TooMuchAtOnce):
            self._waiting.append(call)
            return
        if status == HTTPStatus.UNAUTHORIZED and not call.is_second_try:
            self._reject(call)
            return
        if status == HTTPStatus.OK:
            self._token.accepted(call.token, product=call.claim.remote_id)
        self._advance(call, reply)

    def _advance(self, journey: Journey, reply: Reply) -> None:
        result = journey.advance(reply)
        if result is None:
            self._waiting.appendleft(journey)
            return
        result.read_at = utc_now()
        self._fetched.results.append(result)

    def _reject(self, journey: Journey) -> None:
        """The service has answered 401."""
        if journey.token == self._token.value:
            self._rejections.add(journey, product=journey.claim.remote_id, now=time.monotonic())
        else:
            # The token has been renewed meanwhile.
            self._send_again(journey)

    def _check_token(self) -> None:
        """Reads a product again that the token was accepted for. Without one, the next call is the check."""
        product = self._token.accepted_for_product
        if product is not None and self._rejections.can_check_with(product):
            self._rejections.check_with(_TOKEN_CHECK)
            self._transport.send(_TOKEN_CHECK, contract.reading(product), token=self._token.value)
        elif not (self._waiting or self._under_way) and self._rejections.has_waited(now=time.monotonic()):
            self._resolve_rejections(Fault.TOKEN)

    def _resolve_rejections(self, fault: Fault) -> None:
        if fault is Fault.TOKEN:
            self._token.reject()
        for journey in self._rejections.take():
            if journey.token == self._token.value:
                error = OffersProtocolError("The Offers service answers 401 for this product alone.")
                self._advance(journey, error)
            else:
                # With the next token, or with one that has replaced an expired one meanwhile.
                self._send_again(journey)

    def _send_again(self, journey: Journey) -> None:
        journey.is_second_try = True
        self._waiting.appendleft(journey)

    def _renew_token(self) -> bool:
        """Whether there is a new token already; else it is being obtained."""
        if self._take_renewed_token():
            return True
        if self._waiting:
            self._token.start_renewal()
        return False

    def _take_renewed_token(self) -> bool:
        """Whether there is a new token. A failure ends the journeys that wait now, not later ones."""
        try:
            return self._token.take_renewed()
        except OffersServiceError as error:
            waiting, self._waiting = self._waiting, deque()
            for journey in waiting:
                self._advance(journey, error)
            return False
