"""The chaos runs find everything that can be wrong with a history."""

from datetime import UTC, datetime, timedelta

import pytest

from lab.chaos.replay import (
    RecordedPoint,
    ReplayedChange,
    external_listings,
    history_errors,
    replay,
    wrong_listings,
)
from lab.processes.simulator import Listing, ShownListing
from productator.prices.changes import OfferState, aggregate

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)


def change(second: int, offer_id: int, kind: int, price: int | None = None) -> ReplayedChange:
    stock = None if price is None else 5
    return ReplayedChange(BEGIN + timedelta(seconds=second), offer_id, kind, f"r{offer_id}", price, stock)


def state(offer_id: int, price: int) -> OfferState:
    return OfferState(f"r{offer_id}", price, 5)


def point(second: int, *states: OfferState) -> RecordedPoint:
    return RecordedPoint(BEGIN + timedelta(seconds=second), aggregate(states))


APPEARED, CHANGED, REMOVED = change(1, 1, 1, 100), change(2, 1, 2, 120), change(3, 1, 3)
CHANGES = [APPEARED, CHANGED, change(2, 2, 1, 90), REMOVED]
POINTS = [point(1, state(1, 100)), point(2, state(1, 120), state(2, 90)), point(3, state(2, 90))]
STORED = {2: state(2, 90)}


def test_a_true_history_has_no_errors() -> None:
    assert history_errors(CHANGES, POINTS, STORED) == []


@pytest.mark.parametrize(
    "wrong",
    [
        CHANGES[1:],
        [APPEARED, *CHANGES[2:]],
        CHANGES[:-1],
        [*CHANGES, change(4, 2, 2, 90)],
        [*CHANGES, change(4, 2, 1, 95)],
        [*CHANGES, change(4, 3, 3)],
    ],
    ids=["no appearance", "no change", "no removal", "change of nothing", "two appearances", "gone before"],
)
def test_missing_and_double_changes_are_found(wrong: list[ReplayedChange]) -> None:
    assert history_errors(wrong, POINTS, STORED)


@pytest.mark.parametrize(
    "wrong",
    [POINTS[1:], POINTS[:-1], [*POINTS, point(4, state(2, 90))], [*POINTS[:-1], point(3, state(1, 120))]],
    ids=["first missing", "last missing", "one twice", "one of a state that never existed"],
)
def test_wrong_price_points_are_found(wrong: list[RecordedPoint]) -> None:
    assert history_errors(CHANGES, wrong, STORED)


def test_stored_offers_that_differ_from_the_end_of_the_history_are_found() -> None:
    assert history_errors(CHANGES, POINTS, {})


def listing(*prices: int) -> Listing:
    return frozenset((str(number), price, 5) for number, price in enumerate(prices))


SHOWN = [
    ShownListing(1, listing(10)),
    ShownListing(2, listing(20)),
    ShownListing(3, listing(10, 11)),
    ShownListing(4, listing(20)),
    ShownListing(5, listing()),
]


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        ([listing(10), listing(20), listing(10, 11), listing(20)], []),
        ([listing(10), listing(), listing(20)], []),
        ([listing(30)], [listing(30)]),
        ([listing(10, 11), listing(10)], [listing(10)]),
    ],
    ids=["all", "an empty one between", "never shown", "an older one after a newer one"],
)
def test_offers_that_the_service_did_not_show_at_that_time_are_found(
    stored: list[Listing], wrong: list[Listing]
) -> None:
    assert wrong_listings(stored, SHOWN) == wrong


@pytest.mark.parametrize(
    ("after", "is_wrong"),
    [(listing(11, 20, 30), False), (listing(11, 21, 30), True), (listing(11, 20), True), (listing(11), True)],
    ids=["it stays, others are new", "it has changed", "another is missing", "it was removed"],
)
def test_a_spoilt_offer_must_stay_as_it_was(after: Listing, is_wrong: bool) -> None:
    before = listing(10, 20, 29)
    good = listing(11, 20, 30) - listing(10, 20)
    answer = ShownListing(2, good, spared="1")

    assert wrong_listings([before, after], [ShownListing(1, before), answer]) == [after] * is_wrong


def test_an_offer_without_id_may_be_any_so_all_must_stay() -> None:
    before, answer = listing(10, 20, 30), ShownListing(2, listing(11), spares_all=True)
    shown = [ShownListing(1, before), answer]

    assert wrong_listings([before, listing(11, 20, 30)], shown) == []
    assert wrong_listings([before, listing(11, 20)], shown) == [listing(11, 20)]


def test_own_offers_are_not_the_services() -> None:
    own = ReplayedChange(BEGIN, 7, 1, None, 50, 1)

    assert external_listings(replay([own, *CHANGES]).states) == [
        frozenset(),
        frozenset({("r1", 100, 5)}),
        frozenset({("r1", 120, 5), ("r2", 90, 5)}),
        frozenset({("r2", 90, 5)}),
    ]
