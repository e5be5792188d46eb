"""Mistakes found in other clients of the Offers service, each a test."""

import pytest

from productator.catalogue import products
from productator.domain import OfferData, utc_now
from productator.offers_service import contract
from refresher.metrics import StoreResult
from refresher.storing import batch
from simulator.options import DEFAULT_REFRESH_TOKEN
from tests.refresher.builders import NOW, PERIOD, answer, listed, offer, policy, result
from tests.refresher.rows import Sessions, claimed, offer_rows, product_of, stored_offers, stored_products
from tests.refresher.service import SHORT_S, Installation
from tests.simulator.conftest import RunningSimulator


@pytest.fixture
def installation(sessions: Sessions, generation2: RunningSimulator) -> Installation:
    return Installation(sessions, generation2, DEFAULT_REFRESH_TOKEN)


def fetched(sessions: Sessions, answers: dict[int, list[OfferData]], *, late: int = 0) -> StoreResult:
    """Stores these offers for each product."""
    claims = claimed(sessions, now=NOW + late * PERIOD)
    results = [result(each, *answers[each.product_id]) for each in claims]
    with sessions.begin() as session:
        return batch.store(session, results, policy(), now=NOW + late * PERIOD)


def test_offers_are_not_confused_with_products(sessions: Sessions) -> None:
    # They updated offers where the offer's id was the product's.
    first, second = stored_products(sessions, 2)
    answers = {first: [offer(str(second), price=10)], second: [offer(str(first), price=20)]}
    fetched(sessions, answers)
    fetched(sessions, answers | {first: [offer(str(second), price=11)]}, late=2)

    assert stored_offers(sessions, first) == {offer(str(second), price=11)}
    assert stored_offers(sessions, second) == {offer(str(first), price=20)}


def test_an_unchanged_offer_does_not_count_as_changed(sessions: Sessions) -> None:
    # They compared stored and fetched offers over different fields.
    (product_id,) = stored_products(sessions, 1)
    fetched(sessions, {product_id: [offer()]})

    assert fetched(sessions, {product_id: [offer()]}, late=2).changed == 0
    assert fetched(sessions, {product_id: [offer(items_in_stock=4)]}, late=4).changed == 1


@pytest.mark.parametrize("kind", ["unregistered", "timeout", "wrong_types"])
def test_one_product_in_trouble_does_not_end_the_loop_for_all(installation: Installation, kind: str) -> None:
    product_ids = installation.refreshed_products(10)
    installation.simulator.control("POST", "tick", {"ticks": 40})
    remote_ids = installation.remote_ids(product_ids[:1])
    installation.simulator.set_faults({"kind": kind, "products": remote_ids, "calls": ["offers"]})
    installation.refresh_once(timeout_s=2)
    bad = {product_ids[0]: set[OfferData]()}

    assert installation.offers() | bad == installation.true_offers() | bad


@pytest.mark.parametrize("kind", ["status", "close", "timeout"])
def test_an_outage_does_not_mean_no_offers(installation: Installation, kind: str) -> None:
    installation.refreshed_products(10)
    before = installation.offers()
    installation.simulator.set_faults({"kind": kind})
    installation.refresh_once(timeout_s=SHORT_S)

    assert installation.offers() == before


def test_a_404_of_the_service_deletes_nothing(installation: Installation) -> None:
    product_ids = installation.refreshed_products(3)
    before = [offer_rows(installation.sessions, each) for each in product_ids]
    installation.simulator.control("POST", "forget")
    installation.refresh_once()

    assert [offer_rows(installation.sessions, each) for each in product_ids] == before
    assert installation.count_pending() == 3


def test_a_change_of_a_product_does_not_register_it_again(installation: Installation) -> None:
    (product_id,) = installation.refreshed_products(1)
    with installation.sessions.begin() as session:
        products.change(session, product_id, {"name": "Another name"}, now=utc_now())
    installation.refresh_once()

    assert installation.calls("register") == {}
    assert product_of(installation.sessions, product_id).registered_at is not None


@pytest.mark.timeout(60)
def test_a_service_that_never_answers_does_not_hang_us(installation: Installation) -> None:
    installation.new_products(10)
    installation.simulator.set_faults({"kind": "timeout"})

    assert not installation.refresh_once(timeout_s=SHORT_S)


def test_an_error_is_not_swallowed_before_the_retry(installation: Installation) -> None:
    installation.new_products(3)
    installation.simulator.set_faults({"kind": "status", "times": 3, "calls": ["offers"]})
    assert not installation.refresh_once()
    installation.make_due()

    assert installation.refresh_once()
    assert installation.is_fresh()


def test_the_order_of_keys_does_not_matter() -> None:
    body = b'[{"items_in_stock": 1, "id": "a", "price": 2}]'

    assert contract.offers(answer(body)).offers == [OfferData("a", price=2, items_in_stock=1)]


def test_an_unknown_field_does_not_matter() -> None:
    assert contract.offers(answer([listed(rating=5)])).offers == [offer()]


def test_ids_are_not_taken_for_integers(sessions: Sessions) -> None:
    (product_id,) = stored_products(sessions, 1)
    uuid = offer("0f3a2c1e-9e3b-4a58-8a5b-3f1d0a1b2c3d")
    fetched(sessions, {product_id: [uuid]})

    assert stored_offers(sessions, product_id) == {uuid}


def test_an_offers_id_is_unique_within_its_product_only(sessions: Sessions) -> None:
    first, second = stored_products(sessions, 2)
    fetched(sessions, {first: [offer("1")], second: [offer("1")]})

    assert stored_offers(sessions, first) == stored_offers(sessions, second) == {offer("1")}
