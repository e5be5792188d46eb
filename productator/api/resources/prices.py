"""Routes of a product's price history and of the figures made of it."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from flask import Blueprint, Response, current_app, url_for

from productator.api.conventions.conditional import tagged_list
from productator.api.conventions.cursors import listed
from productator.api.conventions.parsing import read_query
from productator.api.price_schemas import (
    PriceHistoryQuery,
    PriceRangeQuery,
    moment_json,
    point_json,
    summary_json,
    trend_json,
)
from productator.database.web import reading_one_state
from productator.domain import utc_now
from productator.errors import InvalidInput
from productator.prices import summary as service
from productator.prices.buckets import MAX_POINTS, HistoryPoint, Interval, count, fitting, points
from productator.prices.records import held
from productator.prices.segments import Segment, microseconds

Json = dict[str, Any]

prices = Blueprint("prices", __name__, url_prefix="/api/v1/products/<id:product_id>")


@prices.get("/price-history")
def price_history(product_id: int) -> Response:
    """What the prices were in each interval, or (`raw`) from one change to the next.

    Times before the first record and times to come have no points.
    """
    query = read_query(PriceHistoryQuery)
    start, end = query.past(utc_now())
    if query.interval == "raw":
        return _changes(product_id, start, end)
    with reading_one_state() as connection:
        segments = held(connection, product_id, start, end)
        first = next(segments, None)
        # A short history in a long range is told finely.
        known = (first.start if first else end, end)
        interval = query.interval or fitting(*known) or "week"
        _check_size(*known, interval)
        found = points(_with(first, segments), interval)
        return listed(_history(product_id, start, end, interval, found), None)


@prices.get("/price-trend")
def price_trend(product_id: int) -> Response:
    """Where the lowest price went from `from` to `to`."""
    start, end = read_query(PriceRangeQuery).past(utc_now())
    with reading_one_state() as connection:
        course = service.course(connection, product_id, start, end)
    return tagged_list(_of_product(product_id) | _range(start, end) | trend_json(course))


@prices.get("/price-summary")
def price_summary(product_id: int) -> Response:
    """How the lowest price stands now beside its past."""
    now = microseconds(utc_now())
    with reading_one_state() as connection:
        summary = service.summary(connection, product_id, now)
    return tagged_list(_of_product(product_id) | summary_json(summary, now))


def _with(first: Segment | None, others: Iterable[Segment]) -> Iterable[Segment]:
    return others if first is None else chain([first], others)


def _changes(product_id: int, start: int, end: int) -> Response:
    """A page of them; the next one begins where its last one ends."""
    with reading_one_state() as connection:
        segments = held(connection, product_id, start, end, at_a_time=MAX_POINTS)
        found = list(points(islice(segments, MAX_POINTS), "raw"))
    body = _history(product_id, start, end, "raw", found)
    if not found or found[-1].end == end:
        return listed(body, None)
    rest = _range(found[-1].end, end) | {"interval": "raw"}
    return listed(body, url_for("prices.price_history", product_id=product_id, _external=True, **rest))


def _check_size(start: int, end: int, interval: Interval) -> None:
    number = count(start, end, interval)
    if number <= MAX_POINTS:
        return
    fits = fitting(start, end)
    advice = f"the finest interval that fits is {fits}" if fits else "ask for a shorter range"
    sentence = f"That would be {number:,} points, more than {MAX_POINTS:,}: {advice}."
    raise InvalidInput([("/interval", sentence)])


def _history(
    product_id: int, start: int, end: int, interval: Interval, found: Iterable[HistoryPoint]
) -> Json:
    items = [point_json(point) for point in found]
    return _of_product(product_id) | _range(start, end) | {"interval": interval, "items": items}


def _range(start: int, end: int) -> Json:
    return {"from": moment_json(start), "to": moment_json(end)}


def _of_product(product_id: int) -> Json:
    return {"product_id": product_id, "currency": current_app.config["CURRENCY"]}
