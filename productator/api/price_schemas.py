"""Figures of prices as JSON, rounded here and nowhere before."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from productator.api.conventions.time_ranges import Moment, check_order
from productator.api.schemas.answers import time_json
from productator.api.schemas.queries import Query
from productator.prices.buckets import HistoryPoint, Interval
from productator.prices.segments import microseconds, time_of
from productator.prices.summary import Summary
from productator.prices.trend import Course, Priced, Trend

Json = dict[str, Any]

DEFAULT_LENGTH = timedelta(days=30)
_PRICE_DIGITS = 2
_PERCENT_DIGITS = 2
_SHARE_DIGITS = 4

TrendReason = Literal["no_history", "never_in_stock", "first_price_zero"]
SummaryReason = Literal["no_history", "not_in_stock"]

# What is null where nothing was in stock, in the order in which it is told.
OF_A_TREND = (
    "first",
    "last",
    "change",
    "change_percent",
    "direction",
    "lowest",
    "highest",
    "average_price",
    "median_price",
)


class PriceRangeQuery(Query):
    since: Annotated[
        Moment | None, Field(alias="from", description="RFC 3339; 30 days before `to` if not given.")
    ] = None
    until: Annotated[
        Moment | None, Field(alias="to", description="RFC 3339, exclusive; now if not given.")
    ] = None

    def past(self, now: datetime) -> tuple[int, int]:
        """The range without what has not happened yet, as figures count time."""
        check_order(self.since, self.until)
        end = min(self.until or now, now)
        start = min(self.since or end - DEFAULT_LENGTH, end)
        return microseconds(start), microseconds(end)


class PriceHistoryQuery(PriceRangeQuery):
    interval: Annotated[
        Interval | None,
        Field(description="The finest one that gives at most 1,000 points if not given; never `raw`."),
    ] = None


def point_json(point: HistoryPoint) -> Json:
    prices = point.prices
    return {
        "from": moment_json(point.start),
        "to": moment_json(point.end),
        "lowest_price": prices and prices.lowest,
        "average_price": prices and prices.mean.rounded(_PRICE_DIGITS),
        "highest_price": prices and prices.highest,
        "average_lowest_price": prices and prices.mean_lowest.rounded(_PRICE_DIGITS),
        "offers": point.offers.rounded(_PRICE_DIGITS),
        "items_in_stock": point.items_in_stock.rounded(_PRICE_DIGITS),
        "in_stock_share": point.in_stock_share.rounded(_SHARE_DIGITS),
    }


def trend_json(course: Course | None) -> Json:
    trend = course.trend if course else None
    return {
        "known_from": _known_from(course),
        "in_stock_share": course and course.in_stock_share.rounded(_SHARE_DIGITS),
        **(_figures(trend) if trend else dict.fromkeys(OF_A_TREND)),
        "reason": _reason_of_trend(course, trend),
    }


def _figures(trend: Trend) -> Json:
    percent = trend.change_percent
    return {
        "first": priced_json(trend.first),
        "last": priced_json(trend.last),
        "change": trend.change,
        "change_percent": percent and percent.rounded(_PERCENT_DIGITS),
        "direction": trend.direction,
        "lowest": priced_json(trend.lowest),
        "highest": priced_json(trend.highest),
        "average_price": trend.mean.rounded(_PRICE_DIGITS),
        "median_price": trend.median,
    }


def summary_json(summary: Summary, now: int) -> Json:
    percentile = summary.percentile_90_days
    return {
        "at": moment_json(now),
        "known_from": _known_from(summary.course),
        "current": priced_json(summary.current),
        "lowest_7_days": priced_json(summary.lowest_7_days),
        "lowest_30_days": priced_json(summary.lowest_30_days),
        "lowest_90_days": priced_json(summary.lowest_90_days),
        "lowest_all_time": priced_json(summary.lowest_all_time),
        "percentile_90_days": percentile and percentile.rounded(_PERCENT_DIGITS),
        "reference": priced_json(summary.reference),
        "reason": _reason_of_summary(summary),
    }


def _known_from(course: Course | None) -> str | None:
    return moment_json(course.start) if course else None


def _reason_of_trend(course: Course | None, trend: Trend | None) -> TrendReason | None:
    if trend is None:
        return "never_in_stock" if course else "no_history"
    return "first_price_zero" if trend.change_percent is None else None


def _reason_of_summary(summary: Summary) -> SummaryReason | None:
    if summary.current:
        return None
    return "not_in_stock" if summary.course else "no_history"


def priced_json(priced: Priced | None) -> Json | None:
    return None if priced is None else {"price": priced.price, "at": moment_json(priced.at)}


def moment_json(since_1970: int) -> str | None:
    return time_json(time_of(since_1970))
