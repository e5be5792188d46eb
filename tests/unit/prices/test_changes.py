"""From what offers were and became to what is kept of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.domain import MAX_AMOUNT, ChangeKind
from productator.prices.changes import Aggregate, OfferEvent, Offers, OfferState, aggregate, events, rounded

STATES = st.builds(
    OfferState, st.none() | st.sampled_from("abc"), st.integers(0, MAX_AMOUNT), st.integers(0, 9)
)
OFFERS = st.dictionaries(st.integers(1, 6), STATES)


def state(price: int = 100, items_in_stock: int = 5, remote_id: str | None = "a") -> OfferState:
    return OfferState(remote_id, price, items_in_stock)


def test_what_is_the_same_is_no_event() -> None:
    assert events({1: state()}, {1: state()}) == []


def test_a_new_offer_has_appeared() -> None:
    assert events({}, {1: state()}) == [OfferEvent(1, ChangeKind.APPEARED, "a", 100, 5)]


@pytest.mark.parametrize("now", [state(price=90), state(items_in_stock=0)], ids=["price", "stock"])
def test_an_offer_of_other_values_has_changed(now: OfferState) -> None:
    assert events({1: state()}, {1: now}) == [OfferEvent(1, ChangeKind.CHANGED, *now)]


def test_a_removed_offer_has_become_nothing() -> None:
    assert events({1: state()}, {}) == [OfferEvent(1, ChangeKind.REMOVED, "a", None, None)]


def test_an_own_offer_has_no_id_of_others() -> None:
    assert events({}, {1: state(remote_id=None)})[0].remote_id is None


@given(OFFERS, OFFERS)
def test_the_events_lead_from_what_was_to_what_is(before: Offers, after: Offers) -> None:
    reached = dict(before)
    for event in events(before, after):
        assert (event.kind is ChangeKind.APPEARED) == (event.offer_id not in before)
        reached.pop(event.offer_id, None)
        reached |= {event.offer_id: after[event.offer_id]} if event.price is not None else {}

    assert reached == after


@given(OFFERS, OFFERS)
def test_no_offer_is_named_twice(before: Offers, after: Offers) -> None:
    named = [event.offer_id for event in events(before, after)]

    assert len(named) == len(set(named))


def test_prices_of_the_aggregate_are_those_in_stock() -> None:
    offers = [state(100, 5), state(301, 1), state(300, 1), state(7, 0)]

    assert aggregate(offers) == Aggregate(100, 301, 233_667, offers=4, items_in_stock=7)


def test_with_nothing_in_stock_there_are_no_prices() -> None:
    assert aggregate([state(7, 0)]) == Aggregate(None, None, None, offers=1, items_in_stock=0)


def test_largest_amounts_fit_the_aggregate() -> None:
    largest = [state(MAX_AMOUNT, MAX_AMOUNT)] * 2_000

    assert aggregate(largest) == Aggregate(MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT * 1_000, 2_000, MAX_AMOUNT)


@pytest.mark.parametrize(("amount", "parts", "expected"), [(7, 2, 4), (1, 3, 0), (2, 3, 1), (0, 5, 0)])
def test_quotients_are_rounded_half_up(amount: int, parts: int, expected: int) -> None:
    assert rounded(amount, parts) == expected
