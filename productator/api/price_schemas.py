"""Figures of prices as JSON, rounded here and nowhere before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from productator.api.schemas import Query, time_json
from productator.api.time_ranges import Moment
from productator.errors import InvalidInput
from productator.figures.points import Interval, PricePoint
from productator.figures.segments import Segment, in_stock_share, microseconds, time_of
from productator.figures.summary import Summary, summary
from productator.figures.trend import Priced, Trend, trend

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
        end = self.until or now
        start = self.since or end - DEFAULT_LENGTH
        if start >= end:
            raise InvalidInput([("/from", "Must be before `to`, which is now if not given.")])
        return microseconds(min(start, now)), microseconds(min(end, now))


class PriceHistoryQuery(PriceRangeQuery):
    interval: Annotated[
        Interval | None,
        Field(description="The finest one that gives at most 1,000 points if not given; never `raw`."),
    ] = None


def point_json(point: PricePoint) -> Json:
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


def trend_json(segments: Sequence[Segment]) -> Json:
    found = trend(segments)
    share = in_stock_share(segments)
    return {
        "known_from": _known_from(segments),
        "in_stock_share": None if share is None else share.rounded(_SHARE_DIGITS),
        **(_figures(found) if found else dict.fromkeys(OF_A_TREND)),
        "reason": _reason_of_trend(segments, found),
    }


def _figures(found: Trend) -> Json:
    percent = found.change_percent
    return {
        "first": priced_json(found.first),
        "last": priced_json(found.last),
        "change": found.change,
        "change_percent": None if percent is None else percent.rounded(_PERCENT_DIGITS),
        "direction": found.direction,
        "lowest": priced_json(found.lowest),
        "highest": priced_json(found.highest),
        "average_price": found.mean.rounded(_PRICE_DIGITS),
        "median_price": found.median,
    }


def summary_json(segments: Sequence[Segment], now: int, *, ever: Priced | None) -> Json:
    found = summary(segments, now)
    percentile = found.percentile
    return {
        "at": moment_json(now),
        "known_from": _known_from(segments),
        "current": priced_json(found.current),
        "lowest_7_days": priced_json(found.lowest_7_days),
        "lowest_30_days": priced_json(found.lowest_30_days),
        "lowest_90_days": priced_json(found.lowest_90_days),
        "lowest_all_time": priced_json(ever),
        "percentile_90_days": None if percentile is None else percentile.rounded(_PERCENT_DIGITS),
        "reference": priced_json(found.reference),
        "reason": _reason_of_summary(segments, found),
    }


def _known_from(segments: Sequence[Segment]) -> str | None:
    return moment_json(segments[0].start) if segments else None


def _reason_of_trend(segments: Sequence[Segment], found: Trend | None) -> TrendReason | None:
    if found is None:
        return "never_in_stock" if segments else "no_history"
    return "first_price_zero" if found.change_percent is None else None


def _reason_of_summary(segments: Sequence[Segment], found: Summary) -> SummaryReason | None:
    if found.current:
        return None
    return "not_in_stock" if segments else "no_history"


def priced_json(priced: Priced | None) -> Json | None:
    return None if priced is None else {"price": priced.price, "at": moment_json(priced.at)}


def moment_json(since_1970: int) -> str | None:
    return time_json(time_of(since_1970))
