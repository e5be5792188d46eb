"""Leads many journeys at once: sends their requests with the shared token and hands them the answers."""

import logging
import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from productator.domain import utc_now
from productator.engine import is_transient
from productator.errors import OffersServiceError, OffersUnavailable
from productator.offers_service import contract
from productator.offers_service.contract import AccessToken, Answer, Request
from refresher.claims import Claim
from refresher.pipeline import Journey, Outcome, journey
from refresher.transport import Reply, Transport
from refresher.window import Window

log = logging.getLogger(__name__)

_TOKEN_POLL_S = 0.02
_DATABASE_PAUSE_S = 0.5


class Tokens(Protocol):
    def obtain(self, *, rejected: str | None = None) -> AccessToken: ...


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
    def __init__(self, transport: Transport, tokens: Tokens) -> None:
        self._transport = transport
        self._window = Window(transport.room)
        self._tokens = tokens
        self._token: AccessToken | None = None
        self._rejected: str | None = None
        self._renewal: Future[AccessToken] | None = None
        self._waiting: deque[_Step] = deque()
        self._under_way: set[_Step] = set()
        self._outcomes: list[Outcome] = []
        # How often each status was answered; for whoever counts to take away.
        self.calls: Tally[str] = Tally()

    @property
    def held(self) -> int:
        """How many journeys have not ended."""
        return len(self._waiting) + len(self._under_way)

    def start(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            steps = journey(claim)
            self._waiting.append(_Step(claim, steps, next(steps)))

    def finished(self, wait_s: float) -> list[Outcome]:
        """The outcomes of journeys that have ended; waits up to `wait_s` for the first."""
        self._send_waiting()
        if self._renewal is not None:
            wait_s = min(wait_s, _TOKEN_POLL_S)
        for step, reply in self._transport.receive(wait_s):
            self._under_way.discard(step)
            self._adapt(step, reply)
            self._take(step, reply)
        self._send_waiting()
        if not self._waiting:
            self._take_renewal()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def stand_back(self) -> list[Claim]:
        """The service is down: ends what waits, and is to begin with few calls again; returns the claims."""
        self._window.restart()
        return self.drop_waiting()

    def drop_waiting(self) -> list[Claim]:
        """Ends the journeys that have no request under way; returns their claims."""
        dropped = [step.claim for step in self._waiting]
        self._waiting.clear()
        return dropped

    def drop_all(self) -> list[Claim]:
        dropped = [step.claim for step in self._under_way] + self.drop_waiting()
        self._under_way.clear()
        return dropped

    @property
    def is_renewing(self) -> bool:
        """A token asked for must not be lost: nobody gets another before it expires."""
        return self._renewal is not None and not self._renewal.done()

    def _send_waiting(self) -> None:
        while self._waiting and len(self._under_way) < self._window.width and self._has_token():
            step = self._waiting.popleft()
            step.sent_at = time.monotonic()
            step.token = self._token.value if self._token else ""
            self._under_way.add(step)
            self._transport.send(step, step.request, token=step.token)

    def _adapt(self, step: _Step, reply: Reply) -> None:
        self.calls[str(reply.status) if isinstance(reply, Answer) else "none"] += 1
        is_answer = isinstance(reply, Answer) and not contract.is_overload(reply)
        take_note = self._window.answered if is_answer else self._window.refused
        take_note(sent_at=step.sent_at, now=time.monotonic())

    def _has_token(self) -> bool:
        if self._token is not None and (self._token.expires_at is None or self._token.expires_at > utc_now()):
            return True
        if self._renewal is None:
            self._renewal = _in_background(self._tokens, self._rejected)
        return self._take_renewal()

    def _take_renewal(self) -> bool:
        """Whether there is a new token. A failure is for those who wait now, not for who comes later."""
        if self._renewal is None or not self._renewal.done():
            return False
        renewal, self._renewal = self._renewal, None
        try:
            self._token = renewal.result()
        except OffersServiceError as error:
            # There is no other token: the rejected one may be accepted again, and only trying it can tell.
            self._rejected = None
            self._fail_waiting(error)
            return False
        return True

    def _fail_waiting(self, error: OffersServiceError) -> None:
        steps, self._waiting = self._waiting, deque()
        for step in steps:
            self._take(step, error)

    def _take(self, step: _Step, reply: Reply) -> None:
        if isinstance(reply, Answer) and reply.status == HTTPStatus.UNAUTHORIZED and not step.is_second_try:
            # The token may have been renewed by another process, or have expired on the way.
            step.is_second_try = True
            if self._token is not None and self._token.value == step.token:
                self._rejected, self._token = step.token, None
            self._waiting.appendleft(step)
            return
        try:
            step.request = (
                step.journey.send(reply) if isinstance(reply, Answer) else step.journey.throw(reply)
            )
        except StopIteration as end:
            outcome: Outcome = end.value
            outcome.read_at = utc_now()
            self._outcomes.append(outcome)
        else:
            step.is_second_try = False
            self._waiting.appendleft(step)


def _in_background(tokens: Tokens, rejected: str | None) -> Future[AccessToken]:
    """Obtains a token without holding up the calls under way."""
    future: Future[AccessToken] = Future()

    def obtain() -> None:
        try:
            future.set_result(_obtained(tokens, rejected))
        except OffersServiceError as error:
            future.set_exception(error)
        except Exception as error:
            log.exception("the access token cannot be had")
            future.set_exception(_as_service_error(error))

    # A daemon, so that a service that never answers cannot keep the process from ending.
    threading.Thread(target=obtain, name="access-token", daemon=True).start()
    return future


def _obtained(tokens: Tokens, rejected: str | None) -> AccessToken:
    """Waits for a database that is away: it is not the service that fails then."""
    while True:
        try:
            return tokens.obtain(rejected=rejected)
        except DBAPIError as error:
            if not is_transient(error):
                raise
            log.warning("the database is not available", extra={"error": str(error.orig)})
        time.sleep(_DATABASE_PAUSE_S)


def _as_service_error(error: Exception) -> OffersServiceError:
    return OffersUnavailable(f"The access token cannot be had: {type(error).__name__}.")
