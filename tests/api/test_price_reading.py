"""How stored prices are read: as little as an answer needs, along the primary key."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event, insert, text
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import MAX_AMOUNT
from productator.errors import ProductNotFound
from productator.models import PricePoint
from productator.prices.records import RECORDS_A_READ, lowest_price, lowest_prices, segments
from productator.prices.segments import TimeRange, microseconds
from tests import factories

START = datetime(2024, 11, 25, tzinfo=UTC)
COUNT = 300
# Holds 11 records, and one more that is carried in.
RANGE = TimeRange(
    microseconds(START + timedelta(minutes=200.5)), microseconds(START + timedelta(minutes=211.5))
)


@pytest.fixture
def product_id(sessions: sessionmaker[Session]) -> int:
    """A product among others, each with a record a minute; its prices are 0, 1, ..."""
    ids = [factories.stored_product(sessions) for _ in range(5)]
    rows = [_row(each, number, number) | {"resolution_s": 0} for each in ids for number in range(COUNT)]
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)
    return ids[2]


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def sent(connection: Connection) -> list[tuple[str, Any]]:
    """Every SELECT that the connection sends, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    return statements


def starting_prices(found: Iterable[Any]) -> list[int]:
    return [each.lowest for each in found]


EACH_READER = pytest.mark.parametrize("read", [segments, lowest_prices])


@EACH_READER
def test_a_range_is_read_with_the_record_that_holds_at_its_start(
    connection: Connection, product_id: int, read: Any
) -> None:
    found = list(read(connection, product_id, RANGE))

    assert starting_prices(found) == list(range(200, 212))
    assert (found[0].start, found[-1].end) == RANGE


@EACH_READER
@pytest.mark.parametrize("at_a_time", [1, 5, 11, 12, 13])
def test_however_many_records_are_read_at_a_time_it_is_the_same(
    connection: Connection, product_id: int, read: Any, at_a_time: int
) -> None:
    in_pages = read(connection, product_id, RANGE, at_a_time=at_a_time)

    assert list(in_pages) == list(read(connection, product_id, RANGE))


@EACH_READER
def test_rolled_up_records_are_read_between_the_others(
    connection: Connection, sessions: sessionmaker[Session], product_id: int, read: Any
) -> None:
    hour = {"resolution_s": 3600, "mean_lowest_price": 21_500, "covered_s": 1800.0, "in_stock_s": 900.0}
    with sessions.begin() as session:
        in_the_hour = PricePoint.starts_at.between(
            START + timedelta(minutes=180), START + timedelta(minutes=239)
        )
        session.execute(delete(PricePoint).where(in_the_hour, PricePoint.product_id == product_id))
        session.add(PricePoint(**_row(product_id, 180, 20), **hour, mean_offers=1_500, mean_items_in_stock=0))
    begin = microseconds(START + timedelta(minutes=178))
    found = list(read(connection, product_id, TimeRange(begin, microseconds(START + timedelta(minutes=242)))))

    assert starting_prices(found) == [178, 179, 20, 240, 241]
    # Only its second half is known, and half of that in stock.
    assert found[2].start == microseconds(START + timedelta(minutes=210))
    assert found[2][3:] in [(21_500, 900_000_000, False), (21_500, 900_000_000, False, 900, 1, 1_500, 0)]


@EACH_READER
@pytest.mark.parametrize(
    ("mean", "flag", "expected"),
    [
        (20_000, True, True),
        # Too short a break to show in the mean.
        (20_000, False, False),
        # An older version wrote these.
        (20_000, None, True),
        (20_001, None, False),
    ],
)
def test_whether_a_price_held_without_a_break_is_read(
    connection: Connection,
    sessions: sessionmaker[Session],
    product_id: int,
    read: Any,
    *,
    mean: int,
    flag: bool | None,
    expected: bool,
) -> None:
    hour = {"resolution_s": 3600, "mean_lowest_price": mean, "covered_s": 3600.0, "in_stock_s": 3600.0}
    with sessions.begin() as session:
        session.add(PricePoint(**_row(product_id, -60, 20), **hour, is_unbroken=flag))
    begin = microseconds(START - timedelta(minutes=60))
    found, *_ = read(connection, product_id, TimeRange(begin, microseconds(START + timedelta(minutes=1))))

    assert found.is_unbroken is expected


@EACH_READER
def test_an_empty_range_holds_nothing(connection: Connection, product_id: int, read: Any) -> None:
    assert list(read(connection, product_id, TimeRange(RANGE.start, RANGE.start))) == []


@EACH_READER
def test_an_unknown_product_is_not_found(connection: Connection, read: Any) -> None:
    with pytest.raises(ProductNotFound):
        list(read(connection, 999_999, RANGE))


@EACH_READER
def test_the_largest_numbers_are_read_whole(
    connection: Connection, sessions: sessionmaker[Session], product_id: int, read: Any
) -> None:
    largest = {"highest_price": MAX_AMOUNT, "average_price": MAX_AMOUNT * 1000, "offers": MAX_AMOUNT}
    rows = [
        _row(product_id, -number, MAX_AMOUNT) | largest | {"resolution_s": 0, "items_in_stock": MAX_AMOUNT}
        for number in range(1, RECORDS_A_READ + 1)
    ]
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)
    found = list(read(connection, product_id, TimeRange(0, microseconds(START))))

    # As long as their text gets.
    assert len(found) == RECORDS_A_READ
    assert {each[2:4] for each in found} == {(MAX_AMOUNT, MAX_AMOUNT * 1000)}


@EACH_READER
def test_a_range_is_read_along_the_primary_key_and_no_further(
    connection: Connection, sent: list[tuple[str, Any]], product_id: int, read: Any
) -> None:
    list(read(connection, product_id, RANGE))

    _, *ranges = sent
    assert len(ranges) == 2
    assert all(bounds_the_range(connection, *each, records=12) for each in ranges)


def test_the_lowest_price_of_a_range_counts_from_its_beginning(
    connection: Connection, product_id: int
) -> None:
    assert lowest_price(connection, product_id, RANGE) == (200, RANGE.start)


def test_the_lowest_price_of_a_rolled_up_record_counts_from_where_it_is_known(
    connection: Connection, sessions: sessionmaker[Session], product_id: int
) -> None:
    hour = {"resolution_s": 3600, "mean_lowest_price": 0, "covered_s": 1200.0, "in_stock_s": 1200.0}
    with sessions.begin() as session:
        session.add(PricePoint(**_row(product_id, -60, 0), **hour))

    expected = (0, microseconds(START - timedelta(minutes=20)))
    assert lowest_price(connection, product_id, TimeRange(0, RANGE.end)) == expected


def test_the_lowest_price_is_looked_for_in_the_range_only(
    connection: Connection, sent: list[tuple[str, Any]], product_id: int
) -> None:
    lowest_price(connection, product_id, RANGE)

    [(statement, parameters)] = sent
    assert bounds_the_range(connection, statement, parameters, records=12)


def _row(product_id: int, minute: int, price: int) -> dict[str, Any]:
    at = START + timedelta(minutes=minute)
    prices = {"lowest_price": price, "highest_price": 900, "average_price": 1}
    return {"product_id": product_id, "starts_at": at, "offers": 1, "items_in_stock": 1} | prices


def bounds_the_range(connection: Connection, statement: str, parameters: Any, *, records: int) -> bool:
    """Whether the database plans to read about so many rows of the primary key, and nothing else."""
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        searched = [row.detail for row in plan if "price_points" in row.detail]
        keys = ("SEARCH price_points USING PRIMARY KEY (product_id=? AND starts_at", "starts_at<?)")
        return all(line.startswith(keys[0]) and line.endswith(keys[1]) for line in searched)
    connection.execute(text("ANALYZE TABLE price_points"))
    plan = connection.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters).all()
    read = [row for row in plan if row.table == "price_points"]
    is_ranged = all((row.type, row.key) == ("range", "PRIMARY") for row in read)
    return bool(read) and is_ranged and sum(int(row.rows) for row in read) <= 2 * records
