"""The summary of random prices is the one that counting day by day gives."""

import os

from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine, delete, insert
from sqlalchemy.orm import Session, sessionmaker

from productator.models import PricePoint
from productator.prices.figures import PriceFigures
from productator.prices.segments import time_of
from tests import factories
from tests.unit.prices import plain_model
from tests.unit.prices.histories import DAY, History, exact, histories

# A thorough run takes 10,000.
at_random = settings(
    max_examples=int(os.environ.get("TESTS_RANDOM_HISTORIES", "30")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def store(engine: Engine, product_id: int, history: History) -> None:
    names = ("lowest_price", "highest_price", "average_price")
    rows = [
        dict(zip(names, state.prices or (None, None, None), strict=True))
        | {"product_id": product_id, "starts_at": time_of(at * DAY), "resolution_s": 0}
        | {"offers": state.offers, "items_in_stock": state.items}
        for at, state in history.changes
    ]
    with engine.begin() as connection:
        connection.execute(delete(PricePoint))
        if rows:
            connection.execute(insert(PricePoint), rows)


def expected(history: History, now: int) -> dict[str, object]:
    days = now // DAY
    line = History(history.changes, days - 500, days, DAY).line
    of_90_days = plain_model.standing(History(history.changes, days - 90, days, DAY).line, now)
    reference = of_90_days.reference_range
    return {
        "current": of_90_days.current,
        "lowest_7_days": plain_model.lowest(line, now - 7 * DAY, now),
        "lowest_30_days": plain_model.lowest(line, now - 30 * DAY, now),
        "lowest_90_days": plain_model.lowest(line, now - 90 * DAY, now),
        "lowest_all_time": plain_model.lowest(line, 0, now),
        "percentile_90_days": of_90_days.percentile,
        "reference": plain_model.lowest(line, *reference) if reference else None,
    }


def test_a_summary_is_what_counting_gives(engine: Engine, sessions: sessionmaker[Session]) -> None:
    product_id = factories.stored_product(sessions)

    @at_random
    @given(histories(DAY, ticks=200))
    def holds(history: History) -> None:
        store(engine, product_id, history)
        now = history.range.end
        with engine.connect() as connection:
            summary = PriceFigures(connection, product_id).summary(now)

        model = expected(history, now)
        assert {name: exact(getattr(summary, name)) for name in model} == model

    holds()
