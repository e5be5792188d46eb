"""Fetching many products at once, with a transport and tokens that the test controls."""

import threading
import time
from collections.abc import Iterator

import pytest
from pymysql.err import OperationalError as DriverError
from sqlalchemy.exc import OperationalError

from productator.errors import OffersProtocolError, OffersUnavailable, TokenRejected, TooMuchAtOnce
from productator.offers_service.access_token import FixedTokenSource, TokenSource
from productator.offers_service.contract import AccessToken
from productator.offers_service.http_call import Reply
from refresher.fetching.fetcher import Fetcher
from refresher.fetching.journey import FetchResult
from tests.refresher.builders import FakeTokens, FakeTransport, answer, by_product, claim, listed, offer

PATIENCE_S = 10
OFFERS = answer([listed()])
REJECTED = answer({}, status=401)


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


def fetcher_with(transport: FakeTransport, tokens: TokenSource) -> Fetcher:
    return Fetcher(transport, tokens, rejection_wait_s=0)  # type: ignore[arg-type]


def until_sent(fetcher: Fetcher, transport: FakeTransport, count: int) -> None:
    """Lets the fetcher go on until so many calls are under way; the token comes from a thread."""
    deadline = time.monotonic() + PATIENCE_S
    while len(transport.under_way) < count:
        assert time.monotonic() < deadline
        assert fetcher.fetch(0.01).results == []


def until_finished(fetcher: Fetcher, count: int) -> list[FetchResult]:
    deadline = time.monotonic() + PATIENCE_S
    results: list[FetchResult] = []
    while len(results) < count:
        assert time.monotonic() < deadline
        results += fetcher.fetch(0.01).results
    return results


def proven(fetcher: Fetcher, transport: FakeTransport, product_id: int = 1_000) -> None:
    """Lets an answer show that the token is good."""
    fetcher.start([claim(product_id)])
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)
    until_finished(fetcher, 1)


def test_a_product_is_read_with_the_shared_token(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1) == [FetchResult(claim(7), [offer()])]
    assert [token for _, token in transport.sent] == ["one"]


def test_while_the_database_is_away_calls_wait_for_the_token(transport: FakeTransport) -> None:
    away = OperationalError("SELECT 1", {}, DriverError(2013, "Lost connection"))
    fetcher = fetcher_with(transport, FakeTokens(away, "one"))
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)

    assert [token for _, token in transport.sent] == ["one"]


def test_calls_are_counted_by_status(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(7), claim(8), claim(9)])
    until_sent(fetcher, transport, 3)
    transport.reply(OFFERS, OFFERS, OffersUnavailable("The Offers service did not answer."))

    assert fetcher.fetch(0).calls == {"200": 2, "none": 1}


def test_statuses_that_a_service_makes_up_are_counted_together(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(7), claim(8), claim(9)])
    until_sent(fetcher, transport, 3)
    transport.reply(*(answer({}, status=status) for status in (429, 599, 999)))

    assert fetcher.fetch(0).calls == {"429": 1, "other": 2}


def test_a_pending_product_is_registered_and_read(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(7, to_register=("Lamp", ""))])
    until_sent(fetcher, transport, 1)
    transport.reply(answer({}, status=201))
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1)[0].newly_registered
    assert transport.sent[0] == ("/products/register", "one")


def test_answers_belong_to_the_products_they_were_asked_for(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(1), claim(2)])
    until_sent(fetcher, transport, 2)
    transport.under_way.reverse()
    transport.reply(answer([listed(id="of-2")]), answer([listed(id="of-1")]))
    found = by_product(until_finished(fetcher, 2))

    assert {key: each.offers for key, each in found.items()} == {1: [offer("of-1")], 2: [offer("of-2")]}


def test_no_more_calls_are_under_way_than_there_is_room() -> None:
    narrow = FakeTransport(concurrency=3)
    fetcher = fetcher_with(narrow, FakeTokens("one"))
    fetcher.start(claim(product_id) for product_id in range(10))
    until_sent(fetcher, narrow, 3)

    assert (fetcher.unfinished, narrow.free_calls) == (10, 0)


@pytest.mark.parametrize(
    "reply", [answer({}, status=429), answer({}, status=503), OffersUnavailable("silence")]
)
def test_a_service_that_is_overloaded_gets_fewer_calls_at_once(reply: Reply) -> None:
    wide = FakeTransport(concurrency=40)
    fetcher = fetcher_with(wide, FakeTokens("one"))
    proven(fetcher, wide)
    fetcher.start(claim(product_id) for product_id in range(100))
    until_sent(fetcher, wide, 40)
    wide.reply_to_all(reply)
    until_finished(fetcher, 40)

    assert len(wide.under_way) == 20


def test_each_end_makes_room_for_the_next() -> None:
    narrow = FakeTransport(concurrency=1)
    fetcher = fetcher_with(narrow, FakeTokens("one"))
    fetcher.start(claim(product_id) for product_id in range(2))
    until_sent(fetcher, narrow, 1)
    narrow.reply(OFFERS)
    until_finished(fetcher, 1)

    assert len(narrow.sent) == 2


def test_a_401_renews_the_token_and_retries_the_call_once(transport: FakeTransport) -> None:
    tokens = FakeTokens("old", "new")
    fetcher = fetcher_with(transport, tokens)
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1) == [FetchResult(claim(7), [offer()])]
    assert tokens.asked == [None, "old"]
    assert [token for _, token in transport.sent] == ["old", "new"]


def test_a_second_401_is_a_failure(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("old", "new"))
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    (end,) = until_finished(fetcher, 1)

    assert isinstance(end.error, TokenRejected)
    assert len(transport.sent) == 2


def test_registering_and_reading_may_each_meet_an_expired_token(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one", "two", "three"))
    fetcher.start([claim(7, to_register=("Lamp", ""))])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(answer({}, status=201))
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1)[0].error is None


def test_many_401s_at_once_cause_one_renewal(transport: FakeTransport) -> None:
    tokens = FakeTokens("old", "new")
    fetcher = fetcher_with(transport, tokens)
    proven(fetcher, transport)
    fetcher.start(claim(product_id) for product_id in range(50))
    until_sent(fetcher, transport, 50)
    transport.reply_to_all(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply_to_all(REJECTED)
    until_sent(fetcher, transport, 32)

    assert tokens.asked == [None, "old"]
    assert {token for _, token in transport.sent[-32:]} == {"new"}


def test_with_a_token_that_was_not_accepted_yet_few_calls_are_made(
    transport: FakeTransport,
) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start(claim(product_id) for product_id in range(50))
    until_sent(fetcher, transport, 32)
    assert fetcher.fetch(0).results == []
    assert len(transport.under_way) == 32

    transport.reply(OFFERS)
    until_finished(fetcher, 1)
    assert len(transport.under_way) == 49


def test_a_product_that_is_refused_alone_does_not_cost_the_others_their_token(
    transport: FakeTransport,
) -> None:
    tokens = FakeTokens("one")
    fetcher = fetcher_with(transport, tokens)
    proven(fetcher, transport, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)
    (end,) = until_finished(fetcher, 1)

    assert (end.claim, type(end.error)) == (claim(2), OffersProtocolError)
    assert [path for path, _ in transport.sent] == [reading(1), reading(2), reading(1)]
    assert tokens.asked == [None]


def test_a_token_that_is_refused_for_others_too_is_replaced(transport: FakeTransport) -> None:
    tokens = FakeTokens("old", "new")
    fetcher = fetcher_with(transport, tokens)
    proven(fetcher, transport, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1) == [FetchResult(claim(2), [offer()])]
    assert tokens.asked == [None, "old"]


def test_while_the_token_is_checked_only_one_call_is_made(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    proven(fetcher, transport, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    fetcher.fetch(0)
    fetcher.start(claim(product_id) for product_id in range(3, 50))
    fetcher.fetch(0)

    assert len(transport.under_way) == 1
    assert fetcher.unfinished == 48


def test_without_an_answer_from_others_the_token_is_not_replaced(transport: FakeTransport) -> None:
    tokens = FakeTokens("one")
    fetcher = fetcher_with(transport, tokens)
    proven(fetcher, transport, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(OffersUnavailable("silence"))
    until_finished(fetcher, 1)

    assert tokens.asked == [None]


def test_with_a_new_token_the_next_answer_decides(transport: FakeTransport) -> None:
    tokens = FakeTokens("one")
    fetcher = fetcher_with(transport, tokens)
    fetcher.start([claim(1), claim(2)])
    until_sent(fetcher, transport, 2)
    transport.reply(REJECTED)
    fetcher.fetch(0)
    # The call that was under way, and then the check with the product of that call.
    transport.reply(OFFERS)
    until_finished(fetcher, 1)
    transport.reply(OFFERS)
    (end,) = until_finished(fetcher, 1)

    assert (end.claim, type(end.error)) == (claim(1), OffersProtocolError)
    assert tokens.asked == [None]


def reading(product_id: int) -> str:
    return f"/products/{claim(product_id).remote_id}/offers"


def test_a_claim_that_would_lapse_before_its_answer_is_not_sent(transport: FakeTransport) -> None:
    soon = time.monotonic() + FakeTransport.timeout_s / 2
    fetcher = fetcher_with(transport, FakeTokens("one"))
    proven(fetcher, transport)
    fetcher.start([claim(1, lapses_at=soon), claim(2)])

    assert fetcher.fetch(0).unsent == [claim(1)]
    assert fetcher.fetch(0).unsent == []
    assert [path for path, _ in transport.sent[1:]] == [reading(2)]


def test_while_few_calls_may_be_made_few_journeys_are_worth_having() -> None:
    wide = FakeTransport(concurrency=40)
    fetcher = fetcher_with(wide, FakeTokens("one"))
    before = fetcher.capacity
    fetcher.stand_back()

    assert (before, fetcher.capacity) == (80, 8)


def test_a_401_that_comes_after_the_renewal_causes_no_other(transport: FakeTransport) -> None:
    tokens = FakeTokens("old", "new")
    fetcher = fetcher_with(transport, tokens)
    proven(fetcher, transport, 1)
    fetcher.start([claim(2), claim(3)])
    until_sent(fetcher, transport, 2)
    late = transport.under_way.pop()
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)
    transport.under_way.insert(0, late)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 2)

    assert tokens.asked == [None, "old"]
    assert [token for _, token in transport.sent[-2:]] == ["new", "new"]


def test_a_401_waits_a_while_for_the_next_product(transport: FakeTransport) -> None:
    tokens = FakeTokens("one")
    fetcher = Fetcher(transport, tokens, rejection_wait_s=PATIENCE_S)  # type: ignore[arg-type]
    fetcher.start([claim(1)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    fetcher.fetch(0)
    assert (fetcher.unfinished, transport.under_way) == (1, [])

    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)
    found = by_product(until_finished(fetcher, 2))
    assert [type(found[each].error) for each in (1, 2)] == [OffersProtocolError, type(None)]
    assert tokens.asked == [None]


def test_an_expired_token_is_renewed_before_it_is_sent(transport: FakeTransport) -> None:
    class ExpiringTokens(FakeTokens):
        def obtain(self, *, rejected: str | None = None) -> AccessToken:
            token = super().obtain(rejected=rejected)
            return AccessToken(token.value, claim().slot.replace(year=2000))

    tokens = ExpiringTokens("one", "two")
    fetcher = fetcher_with(transport, tokens)
    fetcher.start([claim(1)])
    until_sent(fetcher, transport, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 2)

    assert [token for _, token in transport.sent] == ["one", "two"]


@pytest.mark.parametrize(
    "error", [OffersUnavailable("later"), OffersProtocolError("look"), TokenRejected("no")]
)
def test_a_failed_renewal_fails_the_products_that_wait_for_it(
    transport: FakeTransport, error: OffersUnavailable
) -> None:
    fetcher = fetcher_with(transport, FakeTokens(error))
    fetcher.start([claim(1), claim(2)])

    assert [each.error for each in until_finished(fetcher, 2)] == [error, error]
    assert (fetcher.unfinished, transport.sent) == (0, [])


def test_a_bug_in_the_renewal_fails_the_products_that_wait_for_it(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens())
    fetcher.start([claim(1)])

    assert isinstance(until_finished(fetcher, 1)[0].error, OffersUnavailable)


def test_after_a_failed_renewal_the_next_product_asks_again(transport: FakeTransport) -> None:
    tokens = FakeTokens(OffersUnavailable("later"), "one")
    fetcher = fetcher_with(transport, tokens)
    fetcher.start([claim(1)])
    until_finished(fetcher, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)

    assert tokens.asked == [None, None]


def test_a_token_from_the_settings_that_was_rejected_is_tried_again(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FixedTokenSource("given"))
    fetcher.start([claim(1)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    (end,) = until_finished(fetcher, 1)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert isinstance(end.error, TokenRejected)
    assert until_finished(fetcher, 1)[0].error is None


def test_a_call_without_an_answer_is_a_failure(transport: FakeTransport) -> None:
    silence = OffersUnavailable("silence")
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(silence)

    assert until_finished(fetcher, 1) == [FetchResult(claim(7), None, silence)]


def test_one_product_that_fails_leaves_the_others_alone(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    fetcher.start([claim(1), claim(2), claim(3)])
    until_sent(fetcher, transport, 3)
    transport.reply(OFFERS, answer(b"garbage"), OFFERS)
    found = by_product(until_finished(fetcher, 3))

    assert [found[key].offers for key in (1, 2, 3)] == [[offer()], None, [offer()]]


def test_products_that_wait_can_be_dropped() -> None:
    narrow = FakeTransport(concurrency=1)
    fetcher = fetcher_with(narrow, FakeTokens("one"))
    fetcher.start([claim(1), claim(2), claim(3)])
    until_sent(fetcher, narrow, 1)

    assert fetcher.drop_waiting() == [claim(2), claim(3)]
    assert fetcher.unfinished == 1


def test_products_under_way_can_be_dropped_too() -> None:
    narrow = FakeTransport(concurrency=1)
    fetcher = fetcher_with(narrow, FakeTokens("one"))
    fetcher.start([claim(1), claim(2)])
    until_sent(fetcher, narrow, 1)

    assert fetcher.drop_all() == [claim(1), claim(2)]
    assert fetcher.unfinished == 0


class SlowTokens:
    """Issues its tokens when the test says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.given = FakeTokens(OffersUnavailable("an old failure"), "one")

    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        self.go_on.wait(PATIENCE_S)
        return self.given.obtain(rejected=rejected)


@pytest.fixture
def slow_tokens() -> Iterator[SlowTokens]:
    tokens = SlowTokens()
    yield tokens
    tokens.go_on.set()


def test_it_shows_that_a_renewal_is_under_way(transport: FakeTransport, slow_tokens: SlowTokens) -> None:
    fetcher = fetcher_with(transport, slow_tokens)
    fetcher.start([claim(1)])
    fetcher.fetch(0)
    fetcher.drop_waiting()

    assert (fetcher.unfinished, fetcher.is_busy) == (0, True)


def test_the_failure_of_an_old_renewal_does_not_fail_a_later_product(
    transport: FakeTransport, slow_tokens: SlowTokens
) -> None:
    fetcher = fetcher_with(transport, slow_tokens)
    fetcher.start([claim(1)])
    fetcher.fetch(0)
    fetcher.drop_waiting()
    slow_tokens.go_on.set()
    until_renewed(fetcher)
    fetcher.fetch(0)
    fetcher.start([claim(2)])
    until_sent(fetcher, transport, 1)

    assert [token for _, token in transport.sent] == ["one"]


def until_renewed(fetcher: Fetcher) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while fetcher.is_busy:
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- memory


def test_a_call_without_room_for_its_answer_is_made_again_and_fewer_at_once(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    proven(fetcher, transport)
    capacity = fetcher.capacity
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(TooMuchAtOnce())
    fetcher.fetch(0)
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1) == [FetchResult(claim(7), [offer()])]
    assert fetcher.capacity < capacity


def test_while_unstored_offers_take_the_memory_no_call_is_made(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one"))
    proven(fetcher, transport)
    fetcher.start([claim(7)])
    fetcher.fetch(0, unstored_bytes=2**30)
    waiting = len(transport.under_way)
    fetcher.fetch(0, unstored_bytes=0)

    assert (waiting, len(transport.under_way)) == (0, 1)


def test_a_token_check_without_room_for_its_answer_is_made_again(transport: FakeTransport) -> None:
    fetcher = fetcher_with(transport, FakeTokens("one", "two"))
    proven(fetcher, transport)
    fetcher.start([claim(7)])
    until_sent(fetcher, transport, 1)
    transport.reply(REJECTED)
    until_sent(fetcher, transport, 1)  # the check
    transport.reply(TooMuchAtOnce())
    until_sent(fetcher, transport, 1)  # the check again
    transport.reply(REJECTED)
    # The token was at fault: the product is read with the next one.
    until_sent(fetcher, transport, 1)
    transport.reply(OFFERS)

    assert until_finished(fetcher, 1) == [FetchResult(claim(7), [offer()])]
