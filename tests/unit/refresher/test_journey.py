"""One product's journey, led by hand."""

import json
from dataclasses import replace

import pytest

from productator.errors import (
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import contract
from productator.offers_service.contract import Request
from refresher.fetching.journey import Journey, Outcome, journey
from refresher.fetching.transport import Reply
from refresher.leases.claims import Claim
from tests.refresher.builders import answer, claim, listed, offer

REGISTERED = claim()
PENDING = claim(draft=("Lamp", "Gives light"))


def handed(steps: Journey, reply: Reply) -> Request | Outcome:
    """What the journey does with a reply: its next request, or its end."""
    try:
        return steps.throw(reply) if isinstance(reply, OffersServiceError) else steps.send(reply)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def test_a_registered_product_is_only_read() -> None:
    assert next(journey(REGISTERED)) == Request("GET", f"/products/{REGISTERED.remote_id}/offers")


def test_its_offers_are_the_outcome() -> None:
    steps = journey(REGISTERED)
    next(steps)

    assert handed(steps, answer([listed(id=3)])) == Outcome(REGISTERED, [offer("3")])


def test_an_answer_that_is_stored_already_is_not_read_again() -> None:
    again = answer([listed(id=3)])
    known = replace(REGISTERED, answer_digest=contract.digest(again))
    steps = journey(known)
    next(steps)

    assert handed(steps, again) == Outcome(known, None)


def test_an_answer_that_differs_from_the_stored_one_is_read() -> None:
    known = replace(REGISTERED, answer_digest=contract.digest(answer([listed(id=3)])))
    steps = journey(known)
    next(steps)

    assert handed(steps, answer([listed(id=4)])) == Outcome(known, [offer("4")])


def test_an_outcome_says_which_answer_it_is_from() -> None:
    steps = journey(REGISTERED)
    next(steps)
    outcome = handed(steps, answer([]))

    assert isinstance(outcome, Outcome)
    assert outcome.answer_digest == contract.digest(answer([]))


def test_no_offers_are_an_outcome_too() -> None:
    steps = journey(REGISTERED)
    next(steps)

    assert handed(steps, answer([])) == Outcome(REGISTERED, [])


def test_a_pending_product_is_registered_first() -> None:
    request = next(journey(PENDING))

    assert (request.method, request.path) == ("POST", "/products/register")
    assert json.loads(request.body or b"") == {
        "id": PENDING.remote_id,
        "name": "Lamp",
        "description": "Gives light",
    }


@pytest.mark.parametrize("status", [201, 200, 409])
def test_after_its_registration_it_is_read(status: int) -> None:
    steps = journey(PENDING)
    next(steps)

    assert handed(steps, answer({"id": "x"}, status=status)) == Request(
        "GET", f"/products/{PENDING.remote_id}/offers"
    )


def test_its_registration_is_told_with_its_offers() -> None:
    steps = journey(PENDING)
    next(steps)
    handed(steps, answer({}, status=201))

    assert handed(steps, answer([listed()])) == Outcome(PENDING, [offer()], newly_registered=True)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, OffersUnavailable), (400, OffersProtocolError), (401, TokenRejected), (404, OffersProtocolError)],
)
def test_a_failed_registration_ends_the_journey(status: int, error: type[Exception]) -> None:
    steps = journey(PENDING)
    next(steps)
    end = handed(steps, answer({}, status=status))

    assert isinstance(end, Outcome)
    assert (type(end.error), end.offers, end.newly_registered) == (error, None, False)


def test_a_registration_is_told_although_reading_failed() -> None:
    steps = journey(PENDING)
    next(steps)
    handed(steps, answer({}, status=201))
    end = handed(steps, answer({}, status=503))

    assert isinstance(end, Outcome)
    assert (type(end.error), end.offers, end.newly_registered) == (OffersUnavailable, None, True)


def test_a_404_on_reading_says_that_the_product_is_unknown() -> None:
    steps = journey(REGISTERED)
    next(steps)
    end = handed(steps, answer({"detail": "Product does not exist"}, status=404))

    assert isinstance(end, Outcome)
    assert isinstance(end.error, ProductNotRegistered)
    assert end.is_unknown
    assert end.offers is None


@pytest.mark.parametrize("start", [REGISTERED, PENDING])
def test_a_call_without_an_answer_ends_the_journey(start: Claim) -> None:
    steps = journey(start)
    next(steps)
    silence = OffersUnavailable("silence")

    assert handed(steps, silence) == Outcome(start, None, silence)


def test_a_malformed_answer_is_an_error_and_no_offers() -> None:
    steps = journey(REGISTERED)
    next(steps)
    end = handed(steps, answer([listed(), listed(id=2, price="12")]))

    assert isinstance(end, Outcome)
    assert isinstance(end.error, OffersProtocolError)
    assert end.offers is None
