"""The market: a pure function of seed, product and tick."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.market import Market, MarketOffer

PRODUCTS = st.text(min_size=1, max_size=40)
TICKS = st.integers(min_value=0, max_value=10_000_000)
GENERATIONS = st.sampled_from([1, 2])
DAY = range(400)


def market(*, seed: int = 1, generation: int = 1, mean: int = 6, exactly: int | None = None) -> Market:
    return Market(seed=seed, generation=generation, mean_offers=mean, exact_offers=exactly)


def listed_by_id(product: str, tick: int, *, of: Market) -> dict[int | str, MarketOffer]:
    return {offer.id: offer for offer in of.offers(product, tick)}


def crowd(size: int = 1_000) -> list[str]:
    return [f"product {number}" for number in range(size)]


@given(PRODUCTS, TICKS, GENERATIONS)
def test_the_same_seed_shows_the_same_offers(product: str, tick: int, generation: int) -> None:
    assert market(generation=generation).offers(product, tick) == market(generation=generation).offers(
        product, tick
    )


@given(st.permutations(crowd(5)), TICKS)
def test_the_order_in_which_products_are_asked_for_does_not_matter(products: list[str], tick: int) -> None:
    asked = market()

    shown = {product: asked.offers(product, tick) for product in products}

    assert shown == {product: market().offers(product, tick) for product in crowd(5)}


@given(PRODUCTS, TICKS, GENERATIONS)
def test_prices_are_positive_and_stock_is_never_negative(product: str, tick: int, generation: int) -> None:
    offers = market(generation=generation).offers(product, tick)

    assert all(offer.price > 0 and offer.items_in_stock >= 0 for offer in offers)


@given(PRODUCTS, TICKS, GENERATIONS)
def test_offer_ids_are_unique_within_a_product(product: str, tick: int, generation: int) -> None:
    offers = market(generation=generation).offers(product, tick)

    assert len({offer.id for offer in offers}) == len(offers)


@pytest.mark.parametrize("generation", [1, 2])
def test_an_offer_id_that_vanished_never_comes_back(generation: int) -> None:
    shown = [listed_by_id("lamp", tick, of=market(generation=generation)) for tick in range(2_000)]
    appearances = [offer_id for before, after in pairwise(shown) for offer_id in after.keys() - before.keys()]

    assert len(appearances) == len(set(appearances)) > 20


def test_another_seed_shows_another_market() -> None:
    assert market(seed=1).offers("lamp", 0) != market(seed=2).offers("lamp", 0)


def test_both_generations_show_the_same_prices_under_ids_of_their_own() -> None:
    first, second = market(generation=1).offers("lamp", 7), market(generation=2).offers("lamp", 7)

    assert [offer[1:] for offer in first] == [offer[1:] for offer in second]
    assert {type(offer.id) for offer in first + second} == {int, str}


@pytest.mark.parametrize("product", crowd(12))
def test_an_offer_vanishes_only_after_it_was_listed_without_stock(product: str) -> None:
    shown = [listed_by_id(product, tick, of=market()) for tick in DAY]
    vanished = [before[gone] for before, after in pairwise(shown) for gone in before.keys() - after.keys()]

    assert vanished
    assert all(offer.items_in_stock == 0 for offer in vanished)


@pytest.mark.parametrize("product", crowd(12))
def test_a_sold_out_offer_stays_listed_for_some_ticks(product: str) -> None:
    sold_out = Counter(
        offer.id for tick in DAY for offer in market().offers(product, tick) if offer.items_in_stock == 0
    )

    assert max(sold_out.values()) > 1


def test_new_offers_appear() -> None:
    seen = {offer.id for tick in DAY for offer in market().offers("lamp", tick)}

    assert len(seen) > len(market().offers("lamp", 0))


def test_some_products_have_an_empty_list_and_most_do_not() -> None:
    empty = [product for product in crowd() if not market().offers(product, 100)]

    assert 0 < len(empty) < 50


def test_a_product_with_an_empty_list_gets_offers_again() -> None:
    product = next(product for product in crowd() if not market().offers(product, 100))

    assert any(market().offers(product, tick) for tick in range(100, 200))


def test_most_prices_move_from_tick_to_tick_by_a_few_percent() -> None:
    steady = market(exactly=1)
    prices = [steady.offers("lamp", tick)[0].price for tick in DAY]
    steps = [abs(after - before) / before for before, after in pairwise(prices)]

    assert sum(step > 0 for step in steps) > len(steps) * 0.6
    assert max(steps) < 0.1


def test_prices_are_believable() -> None:
    prices = [offer.price for product in crowd() for offer in market().offers(product, 50)]

    assert 40 <= min(prices) < 300
    assert 30_000 < max(prices) <= 66_000


def test_stock_drifts_down_and_is_refilled() -> None:
    steady = market(exactly=1)
    stock = [steady.offers("lamp", tick)[0].items_in_stock for tick in DAY]
    falls = sum(after < before for before, after in pairwise(stock))
    rises = sum(after > before for before, after in pairwise(stock))

    assert falls > rises > 5


@pytest.mark.parametrize("mean", [1, 6, 20])
def test_products_have_the_wanted_number_of_offers_on_average(mean: int) -> None:
    counts = [len(market(mean=mean).offers(product, 30)) for product in crowd()]

    assert sum(counts) / len(counts) == pytest.approx(mean, rel=0.15)


def test_no_product_has_offers_when_none_are_wanted() -> None:
    assert market(mean=0).offers("lamp", 3) == []


@given(PRODUCTS, TICKS, st.integers(min_value=0, max_value=30))
def test_an_exact_number_of_offers_is_kept_at_every_tick(product: str, tick: int, count: int) -> None:
    exact = market(exactly=count)

    assert len(exact.offers(product, tick)) == count
    assert {offer.id for offer in exact.offers(product, tick)} == {
        offer.id for offer in exact.offers(product, 0)
    }
