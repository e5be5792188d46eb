"""Routes of a product's price history, trend and summary."""

from datetime import datetime, timedelta
from typing import Annotated

from flask import Blueprint, Response, current_app
from pydantic import Field

from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import tagged_json
from productator.api.conventions.cursors import listed
from productator.api.conventions.parsing import read_query
from productator.api.conventions.time_ranges import Moment, wrong_order
from productator.api.schemas.price_json import history_json, moment_json, summary_json, trend_json
from productator.api.schemas.queries import Query
from productator.catalogue.validation import Location
from productator.database.web import reading_one_state
from productator.domain import utc_now
from productator.errors import InvalidInput
from productator.prices.buckets import Interval, TooManyPoints
from productator.prices.figures import PriceFigures
from productator.prices.segments import TimeRange, microseconds

DEFAULT_LENGTH = timedelta(days=30)

prices = Blueprint("prices", __name__, url_prefix="/api/v1/products/<id:product_id>")


class PriceRangeQuery(Query):
    since: Annotated[
        Moment | None, Field(alias="from", description="RFC 3339; 30 days before `to` if not given.")
    ] = None
    until: Annotated[
        Moment | None, Field(alias="to", description="RFC 3339, exclusive; now if not given.")
    ] = None

    def contradictions(self) -> list[tuple[Location, str]]:
        return wrong_order(self.since, self.until)

    def past(self, now: datetime) -> TimeRange:
        """The range without the future."""
        end = min(self.until or now, now)
        start = min(self.since or end - DEFAULT_LENGTH, end)
        return TimeRange(microseconds(start), microseconds(end))


class PriceHistoryQuery(PriceRangeQuery):
    interval: Annotated[
        Interval | None,
        Field(description="The finest one that gives at most 1,000 points if not given; never `raw`."),
    ] = None


@prices.get("/price-history")
def price_history(product_id: int) -> Response:
    """What the prices were in each interval, or (`raw`) from one change to the next.

    There are no points before the first record and none in the future.
    """
    query = read_query(PriceHistoryQuery)
    within = query.past(utc_now())
    try:
        with reading_one_state() as connection:
            history = PriceFigures(connection, product_id).history(within, query.interval)
    except TooManyPoints as error:
        raise InvalidInput([("/interval", str(error))]) from error
    following = _next_url(product_id, history.rest) if history.rest else None
    currency = current_app.config["CURRENCY"]
    return listed(
        history_json(history, product_id, within, currency=currency, following=following), following
    )


@prices.get("/price-trend")
def price_trend(product_id: int) -> Response:
    """Where the lowest price went from `from` to `to`."""
    within = read_query(PriceRangeQuery).past(utc_now())
    with reading_one_state() as connection:
        trend = PriceFigures(connection, product_id).trend(within)
    return tagged_json(trend_json(trend, product_id, within, currency=current_app.config["CURRENCY"]))


@prices.get("/price-summary")
def price_summary(product_id: int) -> Response:
    """How the lowest price now compares with its past."""
    now = microseconds(utc_now())
    with reading_one_state() as connection:
        summary = PriceFigures(connection, product_id).summary(now)
    return tagged_json(summary_json(summary, product_id, now, currency=current_app.config["CURRENCY"]))


def _next_url(product_id: int, rest: TimeRange) -> str:
    query = {"from": moment_json(rest.start), "to": moment_json(rest.end), "interval": "raw"}
    return address_of("prices.price_history", product_id=product_id, **query)
