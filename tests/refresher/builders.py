"""Builders with defaults for the refresher's values, and fakes for its borders."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from productator.domain import OfferData
from productator.errors import OffersServiceError
from productator.offers_service.answer_memory import AnswerMemory
from productator.offers_service.contract import AccessToken, OffersAnswer, OffersRequest
from productator.offers_service.http_call import Reply
from refresher.fetching.journey import FetchResult
from refresher.leases.claims import Claim
from refresher.storing.due_policy import DuePolicy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=30)
LEASE = timedelta(seconds=25)
REMOTE_ID = "8b4d4f1e-6f0a-4a53-9d0e-0c7f0f6f8d11"


def offer(id: str = "1", price: int = 100, items_in_stock: int = 5) -> OfferData:  # noqa: A002 - the field's name
    return OfferData(id, price, items_in_stock)


def listed(**over: Any) -> dict[str, Any]:
    """An offer as the Offers service writes it."""
    return {"id": 1, "price": 100, "items_in_stock": 5} | over


def answer(content: Any = (), *, status: int = 200, retry_after_s: float | None = None) -> OffersAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return OffersAnswer(status, body, retry_after_s)


def claim(
    product_id: int = 7,
    *,
    to_register: tuple[str, str] | None = None,
    failures: int = 0,
    lapses_at: float = math.inf,
) -> Claim:
    remote_id = f"{REMOTE_ID[:-4]}{product_id:04}"
    return Claim(product_id, "a" * 32, NOW, failures, remote_id, None, to_register, lapses_at)


def result(
    claim: Claim, *offers: OfferData, error: OffersServiceError | None = None, newly_registered: bool = False
) -> FetchResult:
    found = None if error is not None else list(offers)
    return FetchResult(claim, found, error, newly_registered=newly_registered)


def policy(*, service_failing: bool = False) -> DuePolicy:
    """Without jitter: pauses have their whole length."""
    return DuePolicy(PERIOD, lambda _low, high: high, service_failing=service_failing)


class FakeTokens:
    """Gives the tokens of a list, one after the other; an error in it is raised."""

    def __init__(self, *given: str | Exception) -> None:
        self._given = list(given)
        self.asked: list[str | None] = []

    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        self.asked.append(rejected)
        each = self._given.pop(0)
        if isinstance(each, Exception):
            raise each
        return AccessToken(each, None)


class FakeTransport:
    """Keeps what is sent until the test answers it."""

    timeout_s = 10.0

    def __init__(self, *, concurrency: int = 100) -> None:
        self._concurrency = concurrency
        self.memory = AnswerMemory()
        self._replies: list[tuple[object, Reply]] = []
        self.under_way: list[tuple[object, OffersRequest, str]] = []
        self.sent: list[tuple[str, str]] = []

    @property
    def free_calls(self) -> int:
        return self._concurrency - len(self.under_way)

    def send(self, key: object, request: OffersRequest, *, token: str) -> None:
        assert self.free_calls > 0
        self.under_way.append((key, request, token))
        self.sent.append((request.path, token))

    def wake(self) -> None:
        """The test calls `receive` anyway."""

    def receive(self, _wait_s: float) -> list[tuple[object, Reply]]:
        replies, self._replies = self._replies, []
        return replies

    def reply(self, *replies: Reply) -> None:
        """Answers the oldest calls under way."""
        self._replies += [(self.under_way.pop(0)[0], reply) for reply in replies]

    def reply_to_all(self, reply: Reply) -> None:
        self.reply(*[reply] * len(self.under_way))


def by_product(results: Iterable[FetchResult]) -> dict[int, FetchResult]:
    return {each.claim.product_id: each for each in results}
