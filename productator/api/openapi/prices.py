"""The answers about prices over time in the document: their schemas, and examples of the odd cases."""

from typing import Any

from productator.api.openapi.parts import Json, shape
from productator.api.schemas.prices import (
    OfferChangeJson,
    OfferChangePageJson,
    PriceAtJson,
    PriceHistoryJson,
    PricePointJson,
    PriceSummaryJson,
    PriceTrendJson,
    TrendFiguresJson,
)

SCHEMAS: Json = {
    "OfferChange": shape(OfferChangeJson),
    "OfferChangePage": shape(OfferChangePageJson),
    "PriceAt": shape(PriceAtJson),
    "PricePoint": shape(PricePointJson),
    "PriceHistory": shape(PriceHistoryJson),
    "PriceTrend": shape(PriceTrendJson),
    "PriceSummary": shape(PriceSummaryJson),
}

_DAY = "2026-11-22T{}:00:00.000000Z"
_MIDNIGHT = "2026-11-23T00:00:00.000000Z"
_FIRST = {"price": 5490, "at": _DAY.format("00")}
_LAST = {"price": 4990, "at": _DAY.format("18")}
_EXAMPLE: Json = {"product_id": 13, "currency": "EUR"}
_POINT: Json = {
    "from": _DAY.format("11"),
    "to": _DAY.format("12"),
    "lowest_price": 5490,
    "average_price": 5590.0,
    "highest_price": 5690,
    "average_lowest_price": 5490.0,
    "offers": 2.0,
    "items_in_stock": 7.0,
    "in_stock_share": 1.0,
}
_SOLD_OUT = {name: None for name in _POINT if name.endswith("_price")} | {
    "from": _DAY.format("12"),
    "to": _DAY.format("13"),
    "items_in_stock": 0.0,
    "in_stock_share": 0.0,
}
_HISTORY: Json = _EXAMPLE | {
    "from": _DAY.format("11"),
    "to": _DAY.format("13"),
    "interval": "hour",
    "items": [_POINT, _POINT | _SOLD_OUT],
    "next": None,
}
_TREND: Json = {
    **_EXAMPLE,
    "from": _DAY.format("00"),
    "to": _MIDNIGHT,
    "known_from": _DAY.format("00"),
    "in_stock_share": 0.75,
    "first": _FIRST,
    "last": _LAST,
    "change": -500,
    "change_percent": -9.11,
    "direction": "down",
    "lowest": _LAST,
    "highest": _FIRST,
    "average_price": 5323.33,
    "median_price": 5490,
    "reason": None,
}
_NO_PRICES = dict.fromkeys(TrendFiguresJson.__annotations__)
_FREE = {"price": 0, "at": _DAY.format("00")}
_SUMMARY: Json = {
    **_EXAMPLE,
    "at": _MIDNIGHT,
    "known_from": "2026-08-25T00:00:00.000000Z",
    "current": _LAST,
    "lowest_7_days": _LAST,
    "lowest_30_days": _LAST,
    "lowest_90_days": _LAST,
    "lowest_all_time": {"price": 4490, "at": "2026-03-01T09:12:31.104202Z"},
    "percentile_90_days": 0.0,
    "reference": {"price": 5490, "at": "2026-10-23T18:00:00.000000Z"},
    "reason": None,
}
HISTORY: dict[str, Any] = {
    "with_a_gap": _HISTORY,
    "nothing_known": _HISTORY | {"interval": "minute", "items": []},
}
TREND: dict[str, Any] = {
    "down": _TREND,
    "never_in_stock": _TREND | _NO_PRICES | {"in_stock_share": 0.0, "reason": "never_in_stock"},
    "nothing_known": _TREND
    | _NO_PRICES
    | {"known_from": None, "in_stock_share": None, "reason": "no_history"},
    "from_zero": _TREND
    | {"first": _FREE, "lowest": _FREE, "highest": _LAST, "change": 4990, "direction": "up"}
    | {"change_percent": None, "average_price": 1663.33, "median_price": 0, "reason": "first_price_zero"},
}
SUMMARY: dict[str, Any] = {
    "in_stock": _SUMMARY,
    "sold_out": _SUMMARY
    | {"current": None, "percentile_90_days": None, "reference": None, "reason": "not_in_stock"},
}
