"""Old history is rolled up and pruned in small steps; what still holds is never lost."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, insert, select
from sqlalchemy.exc import DBAPIError

from productator.catalogue import products
from productator.domain import ChangeKind, Retention
from productator.models import OfferChange, PricePoint, RetentionProgress
from productator.prices.retention import apply_retention
from productator.prices.rollup import StoredPoint
from tests.refresher.rows import Sessions, stored_products
from tests.unit.prices.test_rollup import DAY, HOUR, MIDNIGHT, MINUTE, raw, rolled

# (changes, raw points, hourly points, daily points)
FOR_EVER = Retention(0, 0, 0, 0)
APPEARED, CHANGED, REMOVED = ChangeKind


@pytest.fixture
def product(sessions: Sessions) -> int:
    return stored_products(sessions, 1)[0]


def keep(sessions: Sessions, product_id: int, *points: Any) -> None:
    rows = [{"product_id": product_id, **point._asdict()} for point in points]
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)


def keep_changes(sessions: Sessions, product_id: int, *changes: tuple[timedelta, int, ChangeKind]) -> None:
    """Changes as time after midnight, offer and kind."""
    rows = [
        {
            "product_id": product_id,
            "changed_at": MIDNIGHT + after,
            "offer_id": offer_id,
            "kind": kind,
            "price": None if kind is REMOVED else 1,
            "items_in_stock": None if kind is REMOVED else 1,
        }
        for after, offer_id, kind in changes
    ]
    with sessions.begin() as session:
        session.execute(insert(OfferChange), rows)


def step(sessions: Sessions, retention: Retention, now: datetime) -> bool:
    with sessions.begin() as session:
        return apply_retention(session, retention, now=now)


def do_all(sessions: Sessions, retention: Retention, *, days_later: int = 12) -> int:
    """How many steps it took until nothing was left to do."""
    steps = 1
    while step(sessions, retention, MIDNIGHT + days_later * DAY):
        steps += 1
    return steps


def points(sessions: Sessions, product_id: int) -> list[tuple[datetime, int]]:
    """Start and resolution of the product's points."""
    query = select(PricePoint.starts_at, PricePoint.resolution_s).where(PricePoint.product_id == product_id)
    with sessions() as session:
        rows = session.execute(query.order_by(PricePoint.starts_at, PricePoint.resolution_s))
        return [(row.starts_at, row.resolution_s) for row in rows]


def changes(sessions: Sessions) -> list[tuple[timedelta, int]]:
    query = select(OfferChange.changed_at, OfferChange.offer_id)
    with sessions() as session:
        rows = session.execute(query.order_by(OfferChange.changed_at, OfferChange.offer_id))
        return [(row.changed_at - MIDNIGHT, row.offer_id) for row in rows]


def busy(hours: Iterable[int]) -> list[Any]:
    """Points every ten minutes of these hours after midnight."""
    return [
        raw(hour * HOUR + minute * MINUTE, hour * 60 + minute)
        for hour in hours
        for minute in range(0, 60, 10)
    ]


def test_busy_hours_become_points_of_hours_when_they_are_old(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([5, 6]), raw(3 * DAY, 1))
    do_all(sessions, Retention(0, 10, 0, 0), days_later=11)

    assert points(sessions, product) == [
        (MIDNIGHT + 5 * HOUR, 3_600),
        (MIDNIGHT + 6 * HOUR, 3_600),
        (MIDNIGHT + 7 * HOUR, 0),
        (MIDNIGHT + 3 * DAY, 0),
    ]


def test_a_rolled_up_point_is_the_mean_of_its_time(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *(raw(minute * MINUTE, minute) for minute in (0, 30, 45)))
    do_all(sessions, Retention(0, 10, 0, 0))
    with sessions() as session:
        hour, _ = session.scalars(select(PricePoint).order_by(PricePoint.starts_at)).all()

    assert (hour.lowest_price, hour.highest_price, hour.average_price) == (0, 45, 18_750)
    assert (hour.covered_s, hour.in_stock_s, hour.mean_lowest_price) == (3_600, 3_600, 18_750)


def test_the_price_before_the_day_counts(sessions: Sessions, product: int) -> None:
    keep(sessions, product, raw(-2 * DAY, 40), *(raw(minute * MINUTE, 0) for minute in (30, 40, 50)))
    do_all(sessions, Retention(0, 10, 0, 0))
    with sessions() as session:
        hour = session.get_one(PricePoint, (product, MIDNIGHT, 3_600))

    assert (hour.average_price, hour.covered_s) == (20_000, 3_600)


def test_young_history_stays_as_it_is(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([23, 24]))
    do_all(sessions, Retention(0, 10, 0, 0), days_later=11)

    assert points(sessions, product)[:2] == [(MIDNIGHT + 23 * HOUR, 3_600), (MIDNIGHT + DAY, 0)]
    assert len(points(sessions, product)) == 1 + 6


def test_hours_become_days_when_they_are_older(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy(range(30)))
    do_all(sessions, Retention(0, 1, 3, 0), days_later=4)

    assert [resolution for _, resolution in points(sessions, product)] == [86_400] + [3_600] * 6 + [0]


def test_hours_that_an_older_version_rolled_up_become_days(sessions: Sessions, product: int) -> None:
    """It stored whether a price held without a break in the mean alone."""
    hours = [
        raw(hour * HOUR, 10)._replace(
            resolution_s=3_600, mean_lowest_price=mean, covered_s=3_600.0, in_stock_s=3_600.0
        )
        for hour, mean in enumerate([10_000, 10_001, 10_000])
    ]
    keep(sessions, product, *hours, raw(3 * HOUR))
    do_all(sessions, Retention(0, 0, 10, 0))
    with sessions() as session:
        day, _ = session.scalars(select(PricePoint).order_by(PricePoint.starts_at)).all()

    assert (day.resolution_s, day.mean_lowest_price, day.is_unbroken) == (86_400, 10_000, False)


def test_for_ever_is_for_ever(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy(range(30)))
    keep_changes(sessions, product, (HOUR, 1, APPEARED), (2 * HOUR, 1, REMOVED))
    do_all(sessions, FOR_EVER, days_later=10_000)

    assert len(points(sessions, product)) == 180
    assert len(changes(sessions)) == 2


def test_a_price_that_has_not_changed_for_long_is_kept(sessions: Sessions, product: int) -> None:
    keep(sessions, product, raw(-DAY, 7), raw(timedelta(), 8))
    do_all(sessions, Retention(1, 1, 1, 1), days_later=20)

    assert points(sessions, product) == [(MIDNIGHT, 0)]


def test_points_that_are_too_old_go_but_for_the_one_that_held_then(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *(raw(hour * HOUR, hour) for hour in (1, 20, 30, 60)))
    do_all(sessions, Retention(0, 0, 0, 10), days_later=12)

    assert points(sessions, product) == [(MIDNIGHT + hour * HOUR, 0) for hour in (30, 60)]


def test_changes_that_are_too_old_go_but_for_those_that_held_then(sessions: Sessions, product: int) -> None:
    keep_changes(
        sessions,
        product,
        (1 * HOUR, 1, APPEARED),
        (1 * HOUR, 2, APPEARED),
        (1 * HOUR, 3, APPEARED),
        (2 * HOUR, 1, CHANGED),
        (3 * HOUR, 2, REMOVED),
        (2 * DAY, 1, CHANGED),
    )
    keep(sessions, product, raw(timedelta(), 1))
    do_all(sessions, Retention(10, 0, 0, 0), days_later=11)

    assert changes(sessions) == [(1 * HOUR, 3), (2 * HOUR, 1), (2 * DAY, 1)]


def test_more_than_fits_one_step_is_done_in_several(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *(raw(minute * MINUTE, minute) for minute in range(2_500)))
    keep_changes(sessions, product, *((minute * MINUTE, 1, CHANGED) for minute in range(2_500)))
    do_all(sessions, Retention(5, 0, 0, 5))

    assert len(points(sessions, product)) == len(changes(sessions)) == 1


def test_very_many_offers_that_never_changed_do_not_hide_the_one_that_did(
    sessions: Sessions, product: int
) -> None:
    keep_changes(sessions, product, *((HOUR, offer, APPEARED) for offer in range(2, 2_500)))
    keep_changes(sessions, product, (2 * HOUR, 1, APPEARED), (3 * HOUR, 1, CHANGED))
    keep(sessions, product, raw(timedelta(), 1))
    do_all(sessions, Retention(10, 0, 0, 0), days_later=11)

    assert len(changes(sessions)) == 2_499
    assert changes(sessions)[-1] == (3 * HOUR, 1)


def test_a_product_deleted_between_two_reads_is_passed_over(
    sessions: Sessions, engine: Engine, product: int
) -> None:
    """Another transaction could delete it: each statement sees what is committed by then."""
    keep(sessions, product, *busy([0]))

    def delete_it(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        if " BETWEEN " in statement:
            connection.connection.cursor().execute("DELETE FROM price_points")

    event.listen(engine, "before_cursor_execute", delete_it)
    try:
        do_all(sessions, Retention(0, 10, 0, 0))
    finally:
        event.remove(engine, "before_cursor_execute", delete_it)

    assert points(sessions, product) == []


def test_all_products_have_their_turn(sessions: Sessions) -> None:
    product_ids = stored_products(sessions, 120)
    keep(sessions, product_ids[0], *busy([0]))
    keep(sessions, product_ids[60], *busy([0]))
    keep(sessions, product_ids[-1], *busy([0]))
    steps = do_all(sessions, Retention(0, 10, 0, 0), days_later=11)

    assert {len(points(sessions, product_ids[each])) for each in (0, 60, -1)} == {2}
    # The products by fifties, the end of the day, and that nothing is left.
    assert steps == 3 + 1 + 1


@pytest.mark.parametrize(
    ("created", "days"),
    # What was recorded by a slower clock than the one that the product was made by counts, too.
    [(12 * HOUR, 0), (MINUTE, -1)],
    ids=["at noon", "just after midnight"],
)
def test_history_begins_on_the_day_of_the_oldest_product(
    sessions: Sessions, created: timedelta, days: int
) -> None:
    stored_products(sessions, 1, now=MIDNIGHT + created)
    stored_products(sessions, 1, now=MIDNIGHT + 5 * DAY)
    step(sessions, FOR_EVER, MIDNIGHT + 9 * DAY)
    with sessions() as session:
        begins = session.scalars(select(RetentionProgress.done_until).distinct()).all()

    assert begins == [MIDNIGHT + days * DAY]


def test_after_a_clock_was_ahead_what_becomes_old_is_rolled_up_again(
    sessions: Sessions, product: int
) -> None:
    ten_days = Retention(0, 10, 0, 0)
    do_all(sessions, ten_days, days_later=40)
    step(sessions, ten_days, MIDNIGHT)
    keep(sessions, product, *busy([5]), raw(3 * DAY, 1))
    do_all(sessions, ten_days, days_later=12)

    assert (MIDNIGHT + 5 * HOUR, 3_600) in points(sessions, product)


def test_a_step_that_was_rolled_back_is_done_again(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([0]))
    with sessions() as session:
        apply_retention(session, Retention(0, 10, 0, 0), now=MIDNIGHT + 12 * DAY)
        session.rollback()
    do_all(sessions, Retention(0, 10, 0, 0))

    assert points(sessions, product) == [(MIDNIGHT, 3_600), (MIDNIGHT + HOUR, 0)]


def test_doing_it_all_again_changes_nothing(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([0, 3, 30]), raw(3 * DAY, 1))
    everything = Retention(2, 4, 6, 9)
    do_all(sessions, everything)
    before = points(sessions, product)
    with sessions.begin() as session:
        session.execute(delete(RetentionProgress))
    do_all(sessions, everything)

    assert points(sessions, product) == before


# SQLite has one writer at a time, so that the second waits for the first.
@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_two_workers_do_not_do_the_same(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([0]))
    step(sessions, FOR_EVER, MIDNIGHT)
    with sessions.begin() as first, sessions() as second:
        apply_retention(first, Retention(0, 10, 0, 0), now=MIDNIGHT + 12 * DAY)
        with pytest.raises(DBAPIError):
            apply_retention(second, Retention(0, 10, 0, 0), now=MIDNIGHT + 12 * DAY)


def test_a_product_deleted_in_between_is_passed_over(sessions: Sessions, product: int) -> None:
    keep(sessions, product, *busy([0]))
    with sessions.begin() as session:
        products.remove(session, product)
    do_all(sessions, Retention(1, 1, 1, 1), days_later=5)

    assert points(sessions, product) == []


def test_rolling_up_in_the_database_comes_to_what_the_rules_say(sessions: Sessions, product: int) -> None:
    history = [*busy([3, 4, 9]), *(raw(3 * DAY + minute * MINUTE) for minute in (1, 2, 3)), raw(4 * DAY, 1)]
    keep(sessions, product, *history)
    do_all(sessions, Retention(0, 10, 0, 0), days_later=16)
    with sessions() as session:
        stored = session.execute(select(PricePoint.__table__).order_by(PricePoint.starts_at)).all()

    assert [StoredPoint(*row[1:]) for row in stored] == rolled(history)
