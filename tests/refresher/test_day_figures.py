"""Figures of finished days are kept for products that change very often; the answers stay the same."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from productator.catalogue import products
from productator.domain import Retention
from productator.models import DayFigures, PricePoint, Refresh, RetentionProgress
from productator.prices import clock_jumps, day_figures
from productator.prices.buckets import Interval
from productator.prices.clock_jumps import Clocks
from productator.prices.day_figures import FEWEST_RECORDS, keep_some
from productator.prices.figures import PriceFigures
from productator.prices.retention import apply_retention
from productator.prices.segments import TimeRange, microseconds
from productator.prices.summary import PriceSummary, with_the_past
from tests.refresher.rows import Sessions, stored_products
from tests.unit.prices.histories import comparable, exact
from tests.unit.prices.test_against_a_plain_model import flat
from tests.unit.prices.test_rollup import DAY, HOUR, MIDNIGHT, MINUTE, raw

FOR_EVER = Retention(0, 0, 0, 0)
# So many hours after the first midnight the history ends.
END = MIDNIGHT + 3 * DAY + 5 * HOUR
INTERVALS: list[Interval | None] = [None, "hour", "day", "week"]
EACH_CHANGE = pytest.mark.parametrize("change", ["late", "moved", "rolled up"])


def keep_history(
    sessions: Sessions, product_id: int, *, every: timedelta = 2 * MINUTE, seed: int = 1
) -> None:
    """Records of more than four days, in and out of stock, which begin before the first midnight."""
    random, at, rows = Random(seed), -7 * HOUR, []
    while MIDNIGHT + at < END:
        prices = [random.randrange(3) * 100 + random.randrange(30) for _ in range(random.randrange(4))]
        rows.append({"product_id": product_id, **raw(at, *prices)._asdict()})
        at += every * random.uniform(0.5, 1.5)
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)


@pytest.fixture
def product(sessions: Sessions) -> int:
    """A busy one."""
    product_id = stored_products(sessions, 1, now=MIDNIGHT)[0]
    keep_history(sessions, product_id)
    return product_id


@pytest.fixture
def kept(sessions: Sessions, product: int) -> int:
    """The same, with figures of all finished days."""
    keep_all(sessions)
    return product


def keep_all(sessions: Sessions) -> None:
    with sessions.begin() as session:
        apply_retention(session, FOR_EVER, now=END)
    more = True
    while more:
        with sessions.begin() as session:
            more = keep_some(session, now=END)


def days(sessions: Sessions, product_id: int) -> list[int]:
    """The days with figures, counted from the first midnight."""
    query = select(DayFigures.starts_at).where(DayFigures.product_id == product_id)
    with sessions() as session:
        return [(each - MIDNIGHT).days for each in session.scalars(query.order_by(DayFigures.starts_at))]


def used(sessions: Sessions, product_id: int) -> list[int]:
    with sessions() as session:
        found = day_figures.read(session.connection(), product_id, whole())
        return [(each.start - microseconds(MIDNIGHT)) // (24 * 3_600_000_000) for each in found]


def whole() -> TimeRange:
    return TimeRange(microseconds(MIDNIGHT - DAY), microseconds(END))


def answers(sessions: Sessions, product_id: int, within: TimeRange) -> Iterator[Any]:
    with sessions() as session:
        connection = session.connection()
        yield comparable(PriceFigures(connection, product_id).trend(within))
        for interval in INTERVALS:
            found = PriceFigures(connection, product_id).history(within, interval)
            yield found.interval, [flat(point) for point in found.points]
        alone = of_summary(PriceFigures(connection, product_id).summary(within.end))
        yield alone
        # As the page of a product asks: the summary does not read again what the history has read.
        shared = PriceFigures(connection, product_id, days_of=with_the_past(within))
        yield [flat(point) for point in shared.detailed_history(within).points]
        assert of_summary(shared.summary(within.end)) == alone


def of_summary(found: PriceSummary) -> tuple[object, ...]:
    lows = (found.lowest_7_days, found.lowest_30_days, found.lowest_90_days, found.lowest_all_time)
    return (comparable(found.trend), found.current, exact(found.percentile_90_days), *lows, found.reference)


def ranges() -> list[TimeRange]:
    """The whole, whole days, and some at random."""
    random = Random(3)
    some = [sorted(random.sample(range(whole().start, whole().end), 2)) for _ in range(4)]
    midnights = TimeRange(microseconds(MIDNIGHT), microseconds(MIDNIGHT + 2 * DAY))
    return [whole(), midnights, *(TimeRange(start, end) for start, end in some)]


def test_every_answer_is_what_the_records_say(sessions: Sessions, product: int) -> None:
    before = [list(answers(sessions, product, each)) for each in ranges()]
    keep_all(sessions)

    assert used(sessions, product) == [0, 1, 2]
    assert [list(answers(sessions, product, each)) for each in ranges()] == before


def test_the_lowest_price_of_an_unfinished_day_is_found(sessions: Sessions, product: int) -> None:
    finished = update(PricePoint).where(PricePoint.starts_at < MIDNIGHT + 3 * DAY)
    with sessions.begin() as session:
        session.execute(finished.values(lowest_price=PricePoint.lowest_price + 500))
    before = list(answers(sessions, product, whole()))
    keep_all(sessions)

    assert used(sessions, product) == [0, 1, 2]
    assert list(answers(sessions, product, whole())) == before


def test_a_missing_day_is_read_record_by_record(sessions: Sessions, kept: int) -> None:
    before = [list(answers(sessions, kept, each)) for each in ranges()]
    with sessions.begin() as session:
        session.execute(delete(DayFigures).where(DayFigures.starts_at == MIDNIGHT + DAY))

    assert used(sessions, kept) == [0, 2]
    assert [list(answers(sessions, kept, each)) for each in ranges()] == before


def test_records_of_finished_days_are_not_read(sessions: Sessions, kept: int) -> None:
    before = list(answers(sessions, kept, whole()))
    noon = (MIDNIGHT + DAY + 12 * HOUR, MIDNIGHT + DAY + 13 * HOUR)
    with sessions.begin() as session:
        session.execute(update(PricePoint).where(PricePoint.starts_at.between(*noon)).values(lowest_price=1))

    assert list(answers(sessions, kept, whole())) == before


def test_days_of_few_records_are_not_kept(sessions: Sessions) -> None:
    product_id = stored_products(sessions, 1, now=MIDNIGHT)[0]
    keep_history(sessions, product_id, every=DAY / (0.8 * FEWEST_RECORDS))
    keep_all(sessions)

    assert days(sessions, product_id) == []


def test_all_busy_products_have_their_turn(sessions: Sessions) -> None:
    product_ids = stored_products(sessions, 60, now=MIDNIGHT)
    for product_id in (product_ids[0], product_ids[1], product_ids[-1]):
        keep_history(sessions, product_id)
    keep_all(sessions)

    assert [each for each in product_ids if days(sessions, each)] == [*product_ids[:2], product_ids[-1]]


def test_a_day_that_is_not_known_from_its_beginning_is_not_kept(sessions: Sessions, product: int) -> None:
    with sessions.begin() as session:
        session.execute(delete(PricePoint).where(PricePoint.starts_at < MIDNIGHT + HOUR))
    keep_all(sessions)

    assert days(sessions, product) == [1, 2]


@EACH_CHANGE
def test_figures_of_records_that_an_older_version_changed_are_not_used(
    sessions: Sessions, kept: int, change: str
) -> None:
    changes: dict[str, Callable[[Any], Any]] = {
        "late": store_late,
        "moved": move_last,
        "rolled up": note_rolled_up,
    }
    with sessions.begin() as session:
        changes[change](session)

    assert days(sessions, kept) == [0, 1, 2]
    assert used(sessions, kept) == {"late": [0, 2], "moved": [0, 2], "rolled up": [2]}[change]


def store_late(session: Any) -> None:
    """A record of the second day, after all others of it."""
    product_id = session.scalar(select(func.max(Refresh.product_id)))
    row = raw(2 * DAY - timedelta(microseconds=1), 5)._asdict()
    session.execute(insert(PricePoint), [{"product_id": product_id, **row}])


def move_last(session: Any) -> None:
    """The second day's last record, to its first microsecond."""
    last = session.scalar(
        select(func.max(PricePoint.starts_at)).where(PricePoint.starts_at < MIDNIGHT + 2 * DAY)
    )
    session.execute(
        update(PricePoint)
        .where(PricePoint.starts_at == last)
        .values(starts_at=MIDNIGHT + DAY + timedelta(microseconds=1))
    )


def note_rolled_up(session: Any) -> None:
    """The first day is rolled up, and the second one half done."""
    done = {"done_until": MIDNIGHT + DAY, "product_id": 1}
    session.execute(update(RetentionProgress).where(RetentionProgress.name == "hours").values(**done))


@pytest.mark.parametrize(
    "retention",
    [
        pytest.param(Retention(0, 10, 0, 0), id="rolling up"),
        pytest.param(Retention(0, 0, 0, 10), id="pruning"),
    ],
)
def test_what_shortens_a_day_drops_its_figures(sessions: Sessions, kept: int, retention: Retention) -> None:
    more = True
    while more:
        with sessions.begin() as session:
            more = apply_retention(session, retention, now=MIDNIGHT + 12 * DAY)

    assert days(sessions, kept) == [2]


def test_moving_records_after_a_clock_was_ahead_drops_the_figures(sessions: Sessions, kept: int) -> None:
    now = MIDNIGHT + DAY + 12 * HOUR
    with sessions.begin() as session:
        clock_jumps.move_to_now(session, [kept], Clocks(now, now))

    assert days(sessions, kept) == [0]
    assert used(sessions, kept) == [0]


def test_a_product_is_deleted_with_its_figures(sessions: Sessions, kept: int) -> None:
    with sessions.begin() as session:
        products.remove(session, kept)

    assert days(sessions, kept) == []


def test_nothing_is_kept_before_the_retention_has_begun(sessions: Sessions, product: int) -> None:
    with sessions.begin() as session:
        assert not keep_some(session, now=END)

    assert days(sessions, product) == []


def test_after_a_clock_was_ahead_later_days_are_kept(sessions: Sessions, kept: int) -> None:
    with sessions.begin() as session:
        session.execute(
            update(RetentionProgress)
            .where(RetentionProgress.name == "figures")
            .values(done_until=END + 900 * DAY)
        )
        session.execute(delete(DayFigures))
    keep_all(sessions)
    with sessions() as session:
        done = session.get_one(RetentionProgress, "figures").done_until

    assert done == MIDNIGHT + 3 * DAY


def test_more_days_than_one_statement_checks_are_read(sessions: Sessions) -> None:
    product_id = stored_products(sessions, 1, now=MIDNIGHT)[0]
    with sessions.begin() as session:
        session.execute(
            insert(PricePoint),
            [{"product_id": product_id, **raw(day * DAY, day)._asdict()} for day in range(70)],
        )
        connection = session.connection()
        for day in range(70):
            day_figures.keep(connection, product_id, MIDNIGHT + day * DAY)
    within = TimeRange(microseconds(MIDNIGHT), microseconds(MIDNIGHT + 70 * DAY))
    with sessions() as session:
        assert len(day_figures.read(session.connection(), product_id, within)) == 70
