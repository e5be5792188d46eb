"""How stored prices are read: as little as an answer needs, along the primary key."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, and_, event, insert, text, update
from sqlalchemy.orm import Session, sessionmaker

from productator.domain import MAX_AMOUNT
from productator.errors import InvalidInput
from productator.figures.segments import microseconds
from productator.models import PricePoint
from productator.services import prices
from tests import factories

START = datetime(2024, 11, 25, tzinfo=UTC)
COUNT = 300
# Holds 11 records, and one more that is carried in.
RANGE = (microseconds(START + timedelta(minutes=200.5)), microseconds(START + timedelta(minutes=211.5)))


@pytest.fixture
def product_id(sessions: sessionmaker[Session]) -> int:
    """A product among others, each with a record a minute; its prices are 0, 1, ..."""
    ids = [factories.stored_product(sessions) for _ in range(5)]
    summary = {"resolution_s": 0, "highest_price": 900, "average_price": 1, "offers": 1, "items_in_stock": 1}
    rows = [
        summary | {"product_id": each, "starts_at": START + timedelta(minutes=number), "lowest_price": number}
        for each in ids
        for number in range(COUNT)
    ]
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)
    return ids[2]


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def sent(connection: Connection) -> list[tuple[str, Any]]:
    """Every statement that the connection sends, with its parameters."""
    statements: list[tuple[str, Any]] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    return statements


def lowest_prices(segments: Any) -> list[int]:
    return [segment.prices.lowest for segment in segments]


def test_the_first_segments_are_read(connection: Connection, product_id: int) -> None:
    assert lowest_prices(prices.first_held(connection, product_id, *RANGE, count=2)) == [200, 201]


def test_the_last_segments_are_read(connection: Connection, product_id: int) -> None:
    assert lowest_prices(prices.last_moves(connection, product_id, *RANGE, at_most=2)) == [210, 211]


def test_as_many_records_as_allowed_are_read(connection: Connection, product_id: int) -> None:
    found = prices.held(connection, product_id, *RANGE, at_most=12)

    assert lowest_prices(found) == list(range(200, 212))


def test_a_long_history_is_read_whole(
    connection: Connection, sessions: sessionmaker[Session], product_id: int
) -> None:
    row = {
        "product_id": product_id,
        "resolution_s": 0,
        "lowest_price": MAX_AMOUNT,
        "highest_price": MAX_AMOUNT,
    }
    row |= {"average_price": MAX_AMOUNT * 1000, "offers": 1, "items_in_stock": MAX_AMOUNT}
    rows = [row | {"starts_at": START - timedelta(minutes=number)} for number in range(1, 12_001)]
    with sessions.begin() as session:
        session.execute(insert(PricePoint), rows)

    # More than MariaDB puts together unless it is told to.
    assert len(prices.held(connection, product_id, 0, microseconds(START))) == 12_000


def test_more_records_than_allowed_are_refused(connection: Connection, product_id: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        prices.held(connection, product_id, *RANGE, at_most=11)

    assert refused.value.errors == [("/from", "The range holds more than 11 records: ask for a shorter one.")]


def test_records_that_leave_the_lowest_price_are_no_moves(
    connection: Connection, sessions: sessionmaker[Session], product_id: int
) -> None:
    with sessions.begin() as session:
        prices_from_205_on = and_(PricePoint.product_id == product_id, PricePoint.lowest_price >= 205)
        session.execute(update(PricePoint).where(prices_from_205_on).values(lowest_price=999))

    assert lowest_prices(prices.moves(connection, product_id, *RANGE)) == [200, 201, 202, 203, 204, 999]
    assert lowest_prices(prices.last_moves(connection, product_id, *RANGE, at_most=2)) == [204, 999]


READERS = {
    "held": prices.held,
    "moves": prices.moves,
    "first": lambda *given: prices.first_held(*given, count=5),
    "last": prices.last_moves,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_a_range_is_read_along_the_primary_key_and_no_further(
    connection: Connection, sent: list[tuple[str, Any]], product_id: int, reader: Any
) -> None:
    reader(connection, product_id, *RANGE)

    *_, (statement, parameters) = sent
    assert bounds_the_range(connection, statement, parameters, records=12)


def test_the_lowest_price_ever_is_looked_for_in_the_products_records_only(
    connection: Connection, sent: list[tuple[str, Any]], product_id: int
) -> None:
    found = prices.lowest_ever(connection, product_id, RANGE[1])

    *_, (statement, parameters) = sent
    assert found == (0, microseconds(START))
    assert bounds_the_range(connection, statement, parameters, records=212)


def bounds_the_range(connection: Connection, statement: str, parameters: Any, *, records: int) -> bool:
    """Whether the database means to read about so many rows of the primary key, and nothing else."""
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
