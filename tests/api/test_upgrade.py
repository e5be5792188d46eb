"""What upgrades do to the rows that are there."""

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, column, create_engine, event, insert, select, table
from sqlalchemy.orm import sessionmaker

from productator.database import migrate as schema
from productator.database.engine import make_engine
from productator.domain import ChangeKind
from productator.models import AlertRule, Offer, OfferChange, PricePoint, Product
from productator.prices.figures import PriceFigures
from productator.prices.segments import TimeRange, microseconds
from tests.factories import NOW
from tests.narrowing import existing
from tests.upgrades import killed_after_each_step

MIGRATIONS = schema.__file__.removesuffix("migrate.py") + "migrations"
BEFORE_FLAGS = "0011-1"
BEFORE_REPLICAS = "0020"
BEFORE_HISTORY = "0005-1"
BEFORE_SEARCH = "0004-1"
PRODUCT = {"name": "Lamp", "description": "", "version": 1, "created_at": NOW, "updated_at": NOW}
OFFER = {"version": 1, "created_at": NOW, "updated_at": NOW}


@pytest.fixture
def before_history(empty_database_url: str) -> Iterator[Engine]:
    """A database of a version without history."""
    yield from migrated_to(BEFORE_HISTORY, empty_database_url)


@pytest.fixture
def before_search(empty_database_url: str) -> Iterator[Engine]:
    """A database of a version without search terms."""
    yield from migrated_to(BEFORE_SEARCH, empty_database_url)


@pytest.fixture
def before_flags(empty_database_url: str) -> Iterator[Engine]:
    """A database as it was when the mean alone said whether a price had held without a break."""
    yield from migrated_to(BEFORE_FLAGS, empty_database_url)


@pytest.fixture
def before_replicas(empty_database_url: str) -> Iterator[Engine]:
    """A database of a version that stored rules of all kinds with days."""
    yield from migrated_to(BEFORE_REPLICAS, empty_database_url)


def migrated_to(revision: str, url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    yield engine
    engine.dispose()


def add(engine: Engine, *offers: tuple[int, str | None, int, int]) -> None:
    """Offers as product, remote id, price and stock, with their products."""
    names = ("product_id", "remote_id", "price", "items_in_stock")
    products = [PRODUCT | {"id": each, "remote_id": str(each)} for each in {offer[0] for offer in offers}]
    with engine.begin() as connection:
        connection.execute(insert(Product), products)
        rows = [OFFER | dict(zip(names, offer, strict=True)) for offer in offers]
        connection.execute(insert(Offer), rows)


def test_the_history_of_old_offers_begins_with_the_upgrade(before_history: Engine) -> None:
    add(before_history, (1, "a", 100, 5), (1, None, 31, 0), (2, "a", 7, 1))
    schema.migrate(before_history)
    with sessionmaker(before_history)() as session:
        changes = session.scalars(select(OfferChange).order_by(OfferChange.offer_id)).all()

    assert [(each.product_id, each.remote_id, each.price, each.items_in_stock) for each in changes] == [
        (1, "a", 100, 5),
        (1, None, 31, 0),
        (2, "a", 7, 1),
    ]
    assert {each.kind for each in changes} == {ChangeKind.APPEARED}
    assert len({each.changed_at for each in changes}) == 1


def test_a_history_that_an_upgrade_was_killed_in_begins_once(before_history: Engine) -> None:
    add(before_history, (1, "a", 100, 5), (2, "a", 7, 1))
    with killed_after_each_step(before_history) as migrate:
        while not migrate():
            pass
    with before_history.connect() as connection:
        found = [connection.scalars(select(each.product_id)).all() for each in (OfferChange, PricePoint)]

    assert found == [[1, 2], [1, 2]]


def test_the_summary_of_old_offers_counts_those_in_stock(before_history: Engine) -> None:
    add(before_history, (1, "a", 100, 5), (1, "b", 101, 1), (1, "c", 101, 1), (1, "d", 3, 0), (2, "a", 7, 0))
    schema.migrate(before_history)
    with sessionmaker(before_history)() as session:
        stocked, empty = session.scalars(select(PricePoint).order_by(PricePoint.product_id)).all()

    assert (stocked.lowest_price, stocked.average_price, stocked.highest_price) == (100, 100_667, 101)
    assert (stocked.offers, stocked.items_in_stock, stocked.resolution_s) == (4, 7, 0)
    assert (empty.lowest_price, empty.average_price, empty.offers, empty.items_in_stock) == (None, None, 1, 0)


def test_products_by_the_thousand_get_their_history(before_history: Engine) -> None:
    add(before_history, *((number, "a", number, 1) for number in range(1, 2_502)))
    schema.migrate(before_history)
    with sessionmaker(before_history)() as session:
        lowest = session.scalars(select(PricePoint.lowest_price).order_by(PricePoint.product_id)).all()

    assert lowest == list(range(1, 2_502))


HOUR = timedelta(hours=1)


def add_hours(engine: Engine, *means: int | None, product_id: int = 1) -> None:
    """A product with an hour of each of these mean lowest prices, and what holds since; the lowest is 100."""
    columns = [column(each.name, each.type) for each in PricePoint.__table__.c if each.name != "is_unbroken"]
    hours = [
        {
            "product_id": product_id,
            "starts_at": NOW + number * HOUR,
            "resolution_s": 3_600,
            "lowest_price": None if mean is None else 100,
            "highest_price": None if mean is None else 200,
            "average_price": mean,
            "offers": 1,
            "items_in_stock": 1,
            "mean_lowest_price": mean,
            "covered_s": 3_600.0,
            "in_stock_s": 0.0 if mean is None else 3_600.0,
            "mean_offers": 1_000,
            "mean_items_in_stock": 1_000,
        }
        for number, mean in enumerate(means)
    ]
    since = {"starts_at": NOW + len(hours) * HOUR, "resolution_s": 0}
    only_rolled_up = ("mean_lowest_price", "covered_s", "in_stock_s", "mean_offers", "mean_items_in_stock")
    prices = {"lowest_price": 100, "highest_price": 100, "average_price": 100_000}
    raw = hours[0] | since | prices | dict.fromkeys(only_rolled_up)
    with engine.begin() as connection:
        product = PRODUCT | {"id": product_id, "remote_id": str(product_id)}
        connection.execute(insert(Product), [product])
        connection.execute(insert(table("price_points", *columns)), [*hours, raw])


@pytest.mark.parametrize(
    ("means", "since", "mean"),
    [
        ([100_000, 100_000], 0, Fraction(100)),
        # A microsecond at another price made the mean more than the lowest price.
        ([100_000, 100_001], 2, Fraction(300_001, 3_000)),
        ([100_001, 100_000], 1, Fraction(300_001, 3_000)),
        ([100_000, None], 2, Fraction(100)),
    ],
)
def test_figures_of_hours_that_were_rolled_up_before_stay(
    before_flags: Engine, means: list[int | None], since: int, mean: Fraction
) -> None:
    add_hours(before_flags, *means)
    schema.migrate(before_flags)
    with before_flags.connect() as connection:
        within = TimeRange(microseconds(NOW), microseconds(NOW + 3 * HOUR))
        found = existing(existing(PriceFigures(connection, 1).trend(within)).figures)

    assert found.last == (100, microseconds(NOW + since * HOUR))
    assert Fraction(*found.mean) == mean


def test_hours_that_were_rolled_up_before_get_the_flag(before_flags: Engine) -> None:
    # More products than one statement deals with.
    for product_id in range(1, 13):
        add_hours(before_flags, 100_000, 100_001, None, product_id=product_id)
    with killed_after_each_step(before_flags) as migrate:
        while not migrate():
            pass
    query = select(PricePoint.is_unbroken).order_by(PricePoint.product_id, PricePoint.starts_at)
    with before_flags.connect() as connection:
        flags = connection.scalars(query).all()

    assert flags == [True, False, None, None] * 12


def test_old_products_get_their_search_terms(before_search: Engine) -> None:
    columns = [each for each in Product.__table__.c if each.name not in {"words", "registered_at"}]
    rows = [PRODUCT | {"id": each, "remote_id": str(each), "name": f"Čaj {each}"} for each in range(1, 2_502)]
    with before_search.begin() as connection:
        connection.execute(insert(table("products", *(column(each.name) for each in columns))), rows)
    schema.migrate(before_search)
    with before_search.connect() as connection:
        found = connection.execute(select(Product.words).order_by(Product.id)).scalars().all()

    assert found == [f"__caj __{each}" for each in range(1, 2_502)]


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_a_step_may_take_longer_than_any_other_statement(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url, connect_args={"read_timeout": 1})

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def take_long(*call: Any) -> tuple[str, Any]:
        statement, parameters = call[2:4]
        if "CREATE TABLE IF NOT EXISTS replication_beats" in statement:
            call[1].execute("SELECT SLEEP(1.5)")
        return statement, parameters

    assert schema.migrate(engine) == (None, schema.newest_revision())


def test_old_rules_keep_days_only_if_their_kind_has_them(before_replicas: Engine) -> None:
    limits = {"cooldown_s": 0, "confirm_periods": 0, "rearm_percent": 2, "days": 90, "version": 1}
    times = {"counts_from": NOW, "created_at": NOW, "updated_at": NOW}
    with before_replicas.begin() as connection:
        kinds = ("new_low", "stale", "drop")
        connection.execute(insert(AlertRule), [{"kind": each, **limits, **times} for each in kinds])
    schema.migrate(before_replicas)
    with before_replicas.connect() as connection:
        days = connection.scalars(select(AlertRule.days).order_by(AlertRule.id)).all()

    assert days == [90, None, None]
