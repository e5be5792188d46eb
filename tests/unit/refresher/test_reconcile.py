"""Reconciling: stored and fetched offers in, changes out."""

from hypothesis import given
from hypothesis import strategies as st

from productator.domain import OfferData
from refresher.storing.reconcile import OfferChanges, reconcile
from tests.refresher.builders import offer

offers = st.builds(
    OfferData,
    id=st.sampled_from("abcdef"),
    price=st.integers(0, 3),
    items_in_stock=st.integers(0, 3),
)
offer_lists = st.lists(offers, unique_by=lambda each: each.id)


def applied(changes: OfferChanges, stored: list[OfferData]) -> dict[str, OfferData]:
    kept = {each.id: each for each in stored if each.id not in changes.removed}
    return kept | {each.id: each for each in [*changes.changed, *changes.added]}


@given(stored=offer_lists, fetched=offer_lists)
def test_the_changes_applied_to_what_is_stored_give_what_was_fetched(
    stored: list[OfferData], fetched: list[OfferData]
) -> None:
    assert applied(reconcile(stored, fetched), stored) == {each.id: each for each in fetched}


@given(stored=offer_lists)
def test_equal_offers_give_no_changes_in_whatever_order(stored: list[OfferData]) -> None:
    assert len(reconcile(stored, reversed(stored))) == 0


@given(stored=offer_lists, fetched=offer_lists)
def test_an_offer_is_reported_at_most_once(stored: list[OfferData], fetched: list[OfferData]) -> None:
    changes = reconcile(stored, fetched)

    reported = [each.id for each in [*changes.added, *changes.changed]] + changes.removed
    assert len(reported) == len(set(reported)) == len(changes)


@given(stored=offer_lists, fetched=offer_lists)
def test_only_a_known_offer_changes_and_only_an_unknown_one_is_added(
    stored: list[OfferData], fetched: list[OfferData]
) -> None:
    changes = reconcile(stored, fetched)

    known = {each.id for each in stored}
    assert {each.id for each in changes.changed} <= known
    assert known.isdisjoint(each.id for each in changes.added)


def test_an_offer_whose_price_moved_is_reported_as_changed() -> None:
    changes = reconcile([offer(price=100)], [offer(price=120)])

    assert changes == OfferChanges(added=[], changed=[offer(price=120)], removed=[])


def test_an_offer_whose_stock_moved_is_reported_as_changed() -> None:
    changes = reconcile([offer(items_in_stock=5)], [offer(items_in_stock=0)])

    assert changes == OfferChanges(added=[], changed=[offer(items_in_stock=0)], removed=[])


def test_an_offer_that_is_gone_is_reported_as_removed() -> None:
    assert reconcile([offer("1"), offer("2")], [offer("2")]).removed == ["1"]


def test_a_refused_offer_is_neither_changed_nor_removed() -> None:
    changes = reconcile([offer("1"), offer("2")], [offer("3")], refused={"1"})

    assert (changes.added, changes.changed, changes.removed) == ([offer("3")], [], ["2"])


def test_while_an_offer_without_id_was_refused_none_is_removed() -> None:
    changes = reconcile([offer("1"), offer("2")], [offer("2", price=9)], refused={None})

    assert (changes.changed, changes.removed) == ([offer("2", price=9)], [])
