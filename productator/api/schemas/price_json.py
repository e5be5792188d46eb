"""Figures of prices and changes of offers to JSON. Figures are rounded here and nowhere before."""

from collections.abc import Mapping

from productator.api.schemas.prices import (
    ChangeName,
    OfferChangeJson,
    PriceAtJson,
    PriceHistoryJson,
    PricePointJson,
    PriceSummaryJson,
    PriceTrendJson,
    RangeJson,
    SummaryReason,
    TrendFiguresJson,
    TrendReason,
)
from productator.domain import ChangeKind, time_json
from productator.prices.buckets import HistoryPoint, PriceHistory
from productator.prices.offer_history import RecordedChange
from productator.prices.segments import TimeRange, time_of
from productator.prices.summary import PriceSummary
from productator.prices.trend import PriceAt, PriceTrend, TrendFigures

_PRICE_DIGITS = 2
_PERCENT_DIGITS = 2
_SHARE_DIGITS = 4

_CHANGE_NAMES: dict[ChangeKind, ChangeName] = {
    ChangeKind.APPEARED: "appeared",
    ChangeKind.CHANGED: "changed",
    ChangeKind.REMOVED: "removed",
}


def history_json(
    history: PriceHistory, product_id: int, within: TimeRange, *, currency: str | None, following: str | None
) -> PriceHistoryJson:
    # Most points begin when another ends.
    limits = {limit for point in history.points for limit in (point.start, point.end)}
    moments = {limit: moment_json(limit) for limit in limits}
    return {
        "product_id": product_id,
        "currency": currency,
        **_range_json(within),
        "interval": history.interval,
        "items": [_point_json(point, moments) for point in history.points],
        "next": following,
    }


def _point_json(point: HistoryPoint, moments: Mapping[int, str]) -> PricePointJson:
    start, end, prices, offers, items_in_stock, in_stock_share = point
    return {
        "from": moments[start],
        "to": moments[end],
        "lowest_price": prices and prices.lowest,
        "average_price": prices and prices.mean.rounded(_PRICE_DIGITS),
        "highest_price": prices and prices.highest,
        "average_lowest_price": prices and prices.mean_lowest.rounded(_PRICE_DIGITS),
        "offers": offers.rounded(_PRICE_DIGITS),
        "items_in_stock": items_in_stock.rounded(_PRICE_DIGITS),
        "in_stock_share": in_stock_share.rounded(_SHARE_DIGITS),
    }


def trend_json(
    trend: PriceTrend | None, product_id: int, within: TimeRange, *, currency: str | None
) -> PriceTrendJson:
    figures = trend and trend.figures
    return {
        "product_id": product_id,
        "currency": currency,
        **_range_json(within),
        "known_from": _known_from(trend),
        "in_stock_share": trend.in_stock_share.rounded(_SHARE_DIGITS) if trend else None,
        **(_figures_json(figures) if figures else _NO_FIGURES),
        "reason": _reason_of_trend(trend),
    }


def _figures_json(figures: TrendFigures) -> TrendFiguresJson:
    percent = figures.change_percent
    return {
        "first": _price_at_json(figures.first),
        "last": _price_at_json(figures.last),
        "change": figures.change,
        "change_percent": percent and percent.rounded(_PERCENT_DIGITS),
        "direction": figures.direction,
        "lowest": _price_at_json(figures.lowest),
        "highest": _price_at_json(figures.highest),
        "average_price": figures.mean.rounded(_PRICE_DIGITS),
        "median_price": figures.median,
    }


_NO_FIGURES: TrendFiguresJson = {
    "first": None,
    "last": None,
    "change": None,
    "change_percent": None,
    "direction": None,
    "lowest": None,
    "highest": None,
    "average_price": None,
    "median_price": None,
}


def _reason_of_trend(trend: PriceTrend | None) -> TrendReason | None:
    if trend is None:
        return "no_history"
    if trend.figures is None:
        return "never_in_stock"
    return "first_price_zero" if trend.figures.change_percent is None else None


def summary_json(
    summary: PriceSummary, product_id: int, now: int, *, currency: str | None
) -> PriceSummaryJson:
    percentile = summary.percentile_90_days
    return {
        "product_id": product_id,
        "currency": currency,
        "at": moment_json(now),
        "known_from": _known_from(summary.trend),
        "current": _price_at_json(summary.current),
        "lowest_7_days": _price_at_json(summary.lowest_7_days),
        "lowest_30_days": _price_at_json(summary.lowest_30_days),
        "lowest_90_days": _price_at_json(summary.lowest_90_days),
        "lowest_all_time": _price_at_json(summary.lowest_all_time),
        "percentile_90_days": percentile and percentile.rounded(_PERCENT_DIGITS),
        "reference": _price_at_json(summary.reference),
        "reason": _reason_of_summary(summary),
    }


def _reason_of_summary(summary: PriceSummary) -> SummaryReason | None:
    if summary.current:
        return None
    return "not_in_stock" if summary.trend else "no_history"


def change_json(change: RecordedChange, *, currency: str | None) -> OfferChangeJson:
    return {
        "product_id": change.product_id,
        "offer_id": change.offer_id,
        "source": "own" if change.remote_id is None else "external",
        "external_id": change.remote_id,
        "change": _CHANGE_NAMES[change.kind],
        "price": change.price,
        "currency": currency,
        "items_in_stock": change.items_in_stock,
        "changed_at": time_json(change.changed_at),
    }


def _range_json(within: TimeRange) -> RangeJson:
    return {"from": moment_json(within.start), "to": moment_json(within.end)}


def _known_from(trend: PriceTrend | None) -> str | None:
    return moment_json(trend.start) if trend else None


def _price_at_json(found: PriceAt | None) -> PriceAtJson | None:
    return found and {"price": found.price, "at": moment_json(found.at)}


def moment_json(since_1970: int) -> str:
    return time_json(time_of(since_1970))
