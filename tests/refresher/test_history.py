"""The refresher records what it changes, in the transaction that changes it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from productator.catalogue import offers as own_offers
from productator.catalogue import products
from productator.domain import ChangeKind, OwnOffer, utc_now
from productator.errors import OffersUnavailable
from productator.models import OfferChange, PricePoint
from refresher.fetching.journey import FetchResult
from refresher.storing import batch
from tests.refresher.builders import NOW, PERIOD, offer, policy, result
from tests.refresher.rows import Sessions, claimed, offer_rows, set_refresh, stored_products

APPEARED, CHANGED, REMOVED = ChangeKind
TICK = timedelta(microseconds=1)


@pytest.fixture
def product(sessions: Sessions) -> int:
    return stored_products(sessions, 1)[0]


def refresh(sessions: Sessions, product_id: int, *offers: Any, at: datetime = NOW) -> None:
    """One refresh of a product that finds these offers."""
    set_refresh(sessions, product_id, due_at=at)
    claim = next(each for each in claimed(sessions, now=at) if each.product_id == product_id)
    store_all(sessions, result(claim, *offers), at=at)


def store_all(sessions: Sessions, *results: FetchResult, at: datetime = NOW) -> None:
    with sessions.begin() as session:
        batch.store(session, results, policy(), now=at)


def refresh_often(sessions: Sessions, product_id: int, *offers: Any, times: int) -> None:
    for turn in range(times):
        refresh(sessions, product_id, *offers, at=NOW + turn * PERIOD)


def changes(sessions: Sessions) -> list[tuple[Any, ...]]:
    """Time, kind, remote id, price and stock of all changes, oldest first."""
    columns = (OfferChange.kind, OfferChange.remote_id, OfferChange.price, OfferChange.items_in_stock)
    query = select(OfferChange.changed_at, *columns).order_by(OfferChange.changed_at, OfferChange.remote_id)
    with sessions() as session:
        return [tuple(row) for row in session.execute(query)]


def points(sessions: Sessions) -> list[tuple[Any, ...]]:
    """Time, lowest, average and highest price, offers and stock of all points, oldest first."""
    prices = (PricePoint.lowest_price, PricePoint.average_price, PricePoint.highest_price)
    columns = (PricePoint.starts_at, *prices, PricePoint.offers, PricePoint.items_in_stock)
    with sessions() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(PricePoint.starts_at))]


def rows(session: Session) -> int:
    tables = (OfferChange, PricePoint)
    return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_each_change_is_recorded_once(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1"), offer("2"))
    refresh(sessions, product, offer("1", price=90), offer("3"), at=NOW + PERIOD)

    assert changes(sessions) == [
        (NOW, APPEARED, "1", 100, 5),
        (NOW, APPEARED, "2", 100, 5),
        (NOW + PERIOD, CHANGED, "1", 90, 5),
        (NOW + PERIOD, REMOVED, "2", None, None),
        (NOW + PERIOD, APPEARED, "3", 100, 5),
    ]


def test_a_change_names_the_offer(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1"), offer("2"))
    refresh(sessions, product, offer("1", price=90), offer("2"), at=NOW + PERIOD)
    with sessions() as session:
        named = session.scalars(select(OfferChange.offer_id).where(OfferChange.remote_id == "1")).all()

    assert named == [row[0] for row in offer_rows(sessions, product) if row[2] == "1"] * 2


def test_the_aggregate_is_recorded_when_it_changes(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1", price=100), offer("2", price=201, items_in_stock=1))
    refresh(sessions, product, offer("1", price=100, items_in_stock=0), at=NOW + PERIOD)

    assert points(sessions) == [
        (NOW, 100, 150_500, 201, 2, 6),
        (NOW + PERIOD, None, None, None, 1, 0),
    ]


def test_a_change_that_leaves_the_aggregate_as_it_is_makes_no_point(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1", price=100), offer("2", price=200))
    refresh(sessions, product, offer("1", price=200), offer("2", price=100), at=NOW + PERIOD)

    assert len(changes(sessions)) == 4
    assert len(points(sessions)) == 1


def test_own_offers_count_for_the_aggregate(sessions: Sessions, product: int) -> None:
    with sessions.begin() as session:
        own_offers.create(session, product, OwnOffer(price=7, items_in_stock=1), now=NOW)
    refresh(sessions, product, offer("1", price=9, items_in_stock=2), at=NOW + PERIOD)

    assert points(sessions)[-1] == (NOW + PERIOD, 7, 8_000, 9, 2, 3)


def test_refreshes_without_a_change_write_no_row(sessions: Sessions, product: int) -> None:
    refresh_often(sessions, product, offer("1"), offer("2"), times=100)
    with sessions() as session:
        assert rows(session) == 3


def test_a_refresh_that_failed_writes_no_row(sessions: Sessions, product: int) -> None:
    (claim,) = claimed(sessions)
    failed = result(claim, error=OffersUnavailable("The Offers service answered 503."))
    store_all(sessions, failed)
    with sessions() as session:
        assert rows(session) == 0


def test_a_result_that_is_stored_again_is_recorded_once(sessions: Sessions, product: int) -> None:
    (claim,) = claimed(sessions)
    store_all(sessions, result(claim, offer("1")))
    store_all(sessions, result(claim, offer("1")))

    assert len(changes(sessions)) == 1


def test_a_transaction_that_is_rolled_back_leaves_no_trace(sessions: Sessions, product: int) -> None:
    (claim,) = claimed(sessions)
    with sessions() as session:
        batch.store(session, [result(claim, offer("1"))], policy(), now=NOW)
        session.rollback()

        assert rows(session) == 0


def test_the_time_is_that_of_the_answer(sessions: Sessions, product: int) -> None:
    (claim,) = claimed(sessions)
    read = FetchResult(claim, [offer("1")], read_at=NOW + TICK)
    store_all(sessions, read, at=NOW + PERIOD)

    assert [row[0] for row in changes(sessions) + points(sessions)] == [NOW + TICK] * 2
    assert offer_rows(sessions, product)[0][-2:] == (NOW + TICK, NOW + TICK)


def test_clocks_that_differ_do_not_turn_history_around(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1", price=1), at=NOW + PERIOD)
    refresh(sessions, product, offer("1", price=2), at=NOW)
    refresh(sessions, product, offer("1", price=3), at=NOW)

    times = [NOW + PERIOD, NOW + PERIOD + TICK, NOW + PERIOD + 2 * TICK]
    assert [(row[0], row[3]) for row in changes(sessions)] == list(zip(times, (1, 2, 3), strict=True))
    assert [row[0] for row in points(sessions)] == times


def test_products_are_recorded_apart(sessions: Sessions) -> None:
    first, second = stored_products(sessions, 2)
    refresh(sessions, first, offer("1"), at=NOW + PERIOD)
    refresh(sessions, second, offer("1"), at=NOW)
    with sessions() as session:
        starts = dict(session.execute(select(PricePoint.product_id, PricePoint.starts_at)).all())

    assert starts == {first: NOW + PERIOD, second: NOW}


def test_a_time_far_ahead_of_a_clock_does_not_count(sessions: Sessions, product: int) -> None:
    """The clock was set back after the offers were read, or it is far ahead of the server's."""
    refresh(sessions, product, offer("1"), at=utc_now() + timedelta(days=1))

    assert max(at for at, *_ in changes(sessions) + points(sessions)) <= utc_now()


def test_a_deleted_product_takes_its_history_along(sessions: Sessions, product: int) -> None:
    refresh(sessions, product, offer("1"))
    with sessions.begin() as session:
        products.remove(session, product)

        assert rows(session) == 0
