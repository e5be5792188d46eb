"""One product's journey; the test gives the replies."""

import json
import tracemalloc
from dataclasses import replace

import pytest

from productator.errors import (
    OffersProtocolError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import contract
from productator.offers_service.contract import OffersAnswer, OffersRequest
from productator.offers_service.http_call import Reply
from refresher.fetching.journey import FetchResult, Journey
from refresher.leases.claims import Claim
from tests.refresher.builders import answer, claim, listed, offer

REGISTERED = claim()
PENDING = claim(to_register=("Lamp", "Gives light"))


def ended(start: Claim, *replies: Reply) -> FetchResult:
    """The result of the journey after these replies."""
    journey = Journey(start)
    *others, last = [journey.advance(reply) for reply in replies]
    assert others == [None] * len(others)
    assert last is not None
    return last


def test_a_registered_product_is_only_read() -> None:
    assert Journey(REGISTERED).request == OffersRequest("GET", f"/products/{REGISTERED.remote_id}/offers")


def test_its_offers_are_the_result() -> None:
    assert ended(REGISTERED, answer([listed(id=3)])) == FetchResult(REGISTERED, [offer("3")])


def test_an_answer_that_is_stored_already_is_not_read_again() -> None:
    again = answer([listed(id=3)])
    known = replace(REGISTERED, answer_digest=contract.digest(again))

    assert ended(known, again) == FetchResult(known, None)


def test_an_answer_that_differs_from_the_stored_one_is_read() -> None:
    known = replace(REGISTERED, answer_digest=contract.digest(answer([listed(id=3)])))

    assert ended(known, answer([listed(id=4)])) == FetchResult(known, [offer("4")])


def test_a_result_says_which_answer_it_is_from() -> None:
    assert ended(REGISTERED, answer([])).answer_digest == contract.digest(answer([]))


def test_no_offers_are_a_result_too() -> None:
    assert ended(REGISTERED, answer([])) == FetchResult(REGISTERED, [])


def test_a_pending_product_is_registered_first() -> None:
    request = Journey(PENDING).request

    assert (request.method, request.path) == ("POST", "/products/register")
    assert json.loads(request.body or b"") == {
        "id": PENDING.remote_id,
        "name": "Lamp",
        "description": "Gives light",
    }


@pytest.mark.parametrize("status", [201, 200, 409])
def test_after_its_registration_it_is_read(status: int) -> None:
    journey = Journey(PENDING)

    assert journey.advance(answer({"id": "x"}, status=status)) is None
    assert journey.request == OffersRequest("GET", f"/products/{PENDING.remote_id}/offers")


def test_after_its_registration_reading_has_two_tries_of_its_own() -> None:
    journey = Journey(PENDING)
    journey.is_second_try = True
    journey.advance(answer({}, status=201))

    assert not journey.is_second_try


def test_its_registration_is_part_of_the_result() -> None:
    result = ended(PENDING, answer({}, status=201), answer([listed()]))

    assert result == FetchResult(PENDING, [offer()], newly_registered=True)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, OffersUnavailable), (400, OffersProtocolError), (401, TokenRejected), (404, OffersProtocolError)],
)
def test_a_failed_registration_ends_the_journey(status: int, error: type[Exception]) -> None:
    result = ended(PENDING, answer({}, status=status))

    assert (type(result.error), result.offers, result.newly_registered) == (error, None, False)


def test_a_registration_is_part_of_the_result_although_reading_failed() -> None:
    result = ended(PENDING, answer({}, status=201), answer({}, status=503))

    assert (type(result.error), result.offers, result.newly_registered) == (OffersUnavailable, None, True)


def test_a_404_on_reading_says_that_the_product_is_unknown() -> None:
    result = ended(REGISTERED, answer({"detail": "Product does not exist"}, status=404))

    assert isinstance(result.error, ProductNotRegistered)
    assert result.is_product_unknown
    assert result.offers is None


@pytest.mark.parametrize("start", [REGISTERED, PENDING])
def test_a_call_without_an_answer_ends_the_journey(start: Claim) -> None:
    silence = OffersUnavailable("silence")

    assert ended(start, silence) == FetchResult(start, None, silence)


def test_a_malformed_answer_is_an_error_and_no_offers() -> None:
    result = ended(REGISTERED, answer({"offers": [listed()]}))

    assert isinstance(result.error, OffersProtocolError)
    assert result.offers is None


def test_wrong_offers_of_a_list_are_part_of_the_result_and_it_has_no_digest() -> None:
    result = ended(REGISTERED, answer([listed(), listed(id=2, price="12")]))

    assert (result.error, result.offers, [each.id for each in result.refused]) == (None, [offer()], ["2"])
    assert result.answer_digest is None


@pytest.mark.parametrize("body", [b"[" + b" " * 1_000_000, b"[" + b"1," * 1_000_000 + b"1]"])
def test_an_error_keeps_nothing_of_the_answer(body: bytes) -> None:
    tracemalloc.start()
    result = ended(REGISTERED, OffersAnswer(200, body))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert result.error is not None
    assert kept < 100_000


def test_a_list_of_more_offers_than_allowed_is_an_error() -> None:
    result = Journey(REGISTERED, most_offers=1).advance(answer([listed(), listed(id=2)]))

    assert result is not None
    assert isinstance(result.error, OffersProtocolError)


def test_a_result_says_when_its_last_call_was_sent() -> None:
    journey = Journey(REGISTERED)
    journey.sent_at = 7.5
    result = journey.advance(answer([]))

    assert result is not None
    assert result.sent_at == 7.5
