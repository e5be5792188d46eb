"""Leads many journeys at once: sends their requests with the shared token and hands them the answers."""

import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from productator.domain import utc_now
from productator.errors import OffersProtocolError, OffersServiceError
from productator.offers_service import contract
from productator.offers_service.contract import Answer, Request
from refresher.fetching.concurrency import Window
from refresher.fetching.current_token import CurrentToken, Tokens
from refresher.fetching.journey import Journey, Outcome, journey
from refresher.fetching.transport import Reply, Transport
from refresher.leases.claims import Claim

# So many journeys are held for each call that may be under way: the next ones are at hand when it ends.
_HELD_FOR_A_CALL = 2
# Calls at once with a token that no answer has shown to be good.
_WITH_A_NEW_TOKEN = 32
# So long a 401 waits for the answer to another product, which shows whether the token is at fault.
_DOUBT_S = 5.0
# The key of a call that is made for the token's sake alone.
_LOOK = object()


@dataclass(eq=False)
class _Step:
    """Where a journey stands: the request to send or under way, and the token it went out with."""

    claim: Claim
    journey: Journey
    request: Request
    token: str = ""
    sent_at: float = 0.0
    is_second_try: bool = False


class Fetcher:
    def __init__(self, transport: Transport, tokens: Tokens, *, doubt_s: float = _DOUBT_S) -> None:
        self._transport = transport
        self._window = Window(transport.room)
        self._token = CurrentToken(tokens, wake=transport.wake)
        self._waiting: deque[_Step] = deque()
        self._under_way: set[_Step] = set()
        # Answered 401: the token may be at fault, or the product. The call that will show which.
        self._doubtful: list[_Step] = []
        self._deciding: object | None = None
        self._doubt_s = doubt_s
        self._doubt_ends_at = 0.0
        self._late: list[Claim] = []
        self._outcomes: list[Outcome] = []
        # How often each status was answered; for whoever counts to take away.
        self.calls: Tally[str] = Tally()

    @property
    def held(self) -> int:
        """How many journeys have not ended."""
        return len(self._waiting) + len(self._under_way) + len(self._doubtful)

    @property
    def capacity(self) -> int:
        """How many journeys are worth holding: the fewer calls may be under way, the fewer."""
        return _HELD_FOR_A_CALL * self._window.width

    @property
    def is_renewing(self) -> bool:
        """A token asked for must not be lost: nobody gets another before it expires."""
        return self._token.is_renewing

    def wake(self) -> None:
        """Ends the wait of `finished`; may be called from any thread."""
        self._transport.wake()

    def start(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            steps = journey(claim)
            self._waiting.append(_Step(claim, steps, next(steps)))

    def finished(self, wait_s: float) -> list[Outcome]:
        """The outcomes of journeys that have ended; waits up to `wait_s` for the first, or to be woken."""
        self._send_waiting()
        for step, reply in self._transport.receive(wait_s):
            self.calls[contract.status_label(reply) if isinstance(reply, Answer) else "none"] += 1
            if step is self._deciding:
                self._judge(reply)
            if step is not _LOOK:
                self._under_way.discard(step)
                self._adapt(step, reply)
                self._take(step, reply)
        self._send_waiting()
        if not self._waiting:
            self._renew()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def late(self) -> list[Claim]:
        """Claims that would lapse before their answers could come; they have not been sent."""
        late, self._late = self._late, []
        return late

    def stand_back(self) -> list[Claim]:
        """The service is down: ends what waits, and is to begin with few calls again; returns the claims."""
        self._window.restart()
        return self.drop_waiting()

    def drop_waiting(self) -> list[Claim]:
        """Ends the journeys that have no request under way; returns their claims."""
        dropped = [*self._waiting, *self._doubtful]
        self._waiting.clear()
        self._doubtful.clear()
        return [step.claim for step in dropped]

    def drop_all(self) -> list[Claim]:
        dropped = [step.claim for step in self._under_way] + self.drop_waiting()
        self._under_way.clear()
        return dropped

    def _send_waiting(self) -> None:
        if self._doubtful and self._deciding is None:
            self._decide()
        while self._waiting and self._may_send() and self._has_token():
            step = self._waiting.popleft()
            if step.claim.lapses_at < time.monotonic() + self._transport.timeout_s:
                self._late.append(step.claim)
            else:
                self._send(step)

    def _may_send(self) -> bool:
        if self._doubtful:
            return self._deciding is None
        width = self._window.width
        return len(self._under_way) < (width if self._token.is_proven else min(width, _WITH_A_NEW_TOKEN))

    def _send(self, step: _Step) -> None:
        if self._doubtful:
            self._deciding = step
        step.sent_at = time.monotonic()
        step.token = self._token.value
        self._under_way.add(step)
        self._transport.send(step, step.request, token=step.token)

    def _decide(self) -> None:
        """Asks for what was answered before, or sends what waits next; if nothing comes, it is the token."""
        good = self._token.good_for
        if good is not None and good not in {step.claim.remote_id for step in self._doubtful}:
            self._deciding = _LOOK
            self._transport.send(_LOOK, contract.reading(good), token=self._token.value)
        elif not (self._waiting or self._under_way) and time.monotonic() >= self._doubt_ends_at:
            self._convict()

    def _adapt(self, step: _Step, reply: Reply) -> None:
        is_answer = isinstance(reply, Answer) and not contract.is_overload(reply)
        take_note = self._window.answered if is_answer else self._window.refused
        take_note(sent_at=step.sent_at, now=time.monotonic())

    def _has_token(self) -> bool:
        return self._token.is_valid or self._renew()

    def _renew(self) -> bool:
        """Whether there is a new token. A failure is for those who wait now, not for who comes later."""
        try:
            return self._token.renewed(is_wanted=bool(self._waiting))
        except OffersServiceError as error:
            steps, self._waiting = self._waiting, deque()
            for step in steps:
                self._go_on(step, error)
            return False

    def _take(self, step: _Step, reply: Reply) -> None:
        status = reply.status if isinstance(reply, Answer) else None
        if status == HTTPStatus.UNAUTHORIZED and not step.is_second_try:
            self._doubt(step)
            return
        if status == HTTPStatus.OK:
            self._token.show_good(step.token, step.claim.remote_id)
        self._go_on(step, reply)

    def _judge(self, reply: Reply) -> None:
        self._deciding = None
        if isinstance(reply, Answer) and reply.status == HTTPStatus.UNAUTHORIZED:
            self._convict()
        else:
            self._acquit()

    def _doubt(self, step: _Step) -> None:
        if step.token == self._token.value:
            if not self._doubtful:
                self._doubt_ends_at = time.monotonic() + self._doubt_s
            self._doubtful.append(step)
        else:
            # It was renewed meanwhile.
            self._try_again(step)

    def _convict(self) -> None:
        """The token is at fault: all go on with the next one."""
        self._token.reject()
        doubtful, self._doubtful = self._doubtful, []
        for step in doubtful:
            self._try_again(step)

    def _acquit(self) -> None:
        """The token is good for others, so asking for the next would help nobody and could harm all."""
        doubtful, self._doubtful = self._doubtful, []
        for step in doubtful:
            if step.token == self._token.value:
                self._go_on(
                    step, OffersProtocolError("The Offers service answers 401 for this product alone.")
                )
            else:
                # It has expired meanwhile, and been replaced.
                self._try_again(step)

    def _try_again(self, step: _Step) -> None:
        step.is_second_try = True
        self._waiting.appendleft(step)

    def _go_on(self, step: _Step, reply: Reply) -> None:
        try:
            step.request = (
                step.journey.send(reply) if isinstance(reply, Answer) else step.journey.throw(reply)
            )
        except StopIteration as end:
            outcome: Outcome = end.value
            outcome.read_at, outcome.sent_at = utc_now(), step.sent_at
            self._outcomes.append(outcome)
        else:
            step.is_second_try = False
            self._waiting.appendleft(step)
