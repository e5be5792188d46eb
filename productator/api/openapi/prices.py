"""Figures of prices as the document tells them, with examples of the odd cases."""

from typing import Any, get_args

from productator.api.openapi.parts import AMOUNT, CURRENCY, ID, NEXT, TIME, Json, list_of, object_of, or_null
from productator.api.price_schemas import OF_A_TREND, SummaryReason, TrendReason
from productator.domain import REMOTE_ID_LENGTH, ChangeKind
from productator.prices.buckets import MAX_POINTS, Interval

_MEAN: Json = {"type": "number", "minimum": 0, "description": "Weighted by time; two decimals."}
_SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}
_PRICED: Json = {"$ref": "#/components/schemas/PriceAt"}
_KNOWN_FROM = or_null(TIME, "The first time in the range that anything is known of.")
_OF_PRODUCT: Json = {"product_id": ID, "currency": CURRENCY}
_RANGE: Json = {"from": TIME, "to": TIME | {"description": "Exclusive, and never in the future."}}


def _reason(reasons: object) -> Json:
    return {"enum": [*get_args(reasons), None], "description": "Why figures are null."}


SCHEMAS: Json = {
    "OfferChange": object_of(
        {
            "product_id": ID,
            "offer_id": ID,
            "source": {"enum": ["external", "own"]},
            "external_id": {"type": ["string", "null"], "maxLength": REMOTE_ID_LENGTH},
            "change": {"enum": [kind.name.lower() for kind in ChangeKind]},
            "price": or_null(AMOUNT, "What it became; null: it was removed."),
            "currency": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"},
            "items_in_stock": or_null(AMOUNT, "What it became; null: it was removed."),
            "changed_at": TIME,
        }
    ),
    "OfferChangePage": object_of({"items": list_of("OfferChange"), "next": NEXT}),
    "PriceAt": object_of({"price": AMOUNT, "at": TIME | {"description": "Since when, within the range."}}),
    "PricePoint": object_of(
        {
            "from": TIME,
            "to": TIME,
            "lowest_price": or_null(AMOUNT, "The lowest at any time; null: nothing was in stock."),
            "average_price": or_null(_MEAN, "The mean of the offers in stock, over the time in stock."),
            "highest_price": or_null(AMOUNT, "The highest of any offer in stock at any time."),
            "average_lowest_price": or_null(_MEAN, "The mean of the lowest price over the time in stock."),
            "offers": _MEAN,
            "items_in_stock": _MEAN,
            "in_stock_share": _SHARE | {"description": "Of the time, the part with anything in stock."},
        }
    ),
    "PriceHistory": object_of(
        {
            **_OF_PRODUCT,
            **_RANGE,
            "interval": {"enum": [*get_args(Interval)]},
            "items": list_of("PricePoint") | {"maxItems": MAX_POINTS},
            "next": NEXT,
        }
    ),
    "PriceTrend": object_of(
        {
            **_OF_PRODUCT,
            **_RANGE,
            "known_from": _KNOWN_FROM,
            "in_stock_share": or_null(_SHARE, "Of the time that is known."),
            "first": or_null(_PRICED, "The first lowest price in stock."),
            "last": or_null(_PRICED, "The last lowest price in stock."),
            "change": {"type": ["integer", "null"], "description": "From the first to the last."},
            "change_percent": {"type": ["number", "null"], "description": "Two decimals."},
            "direction": {"enum": ["up", "down", "same", None]},
            "lowest": or_null(_PRICED),
            "highest": or_null(_PRICED, "The highest that the lowest price was."),
            "average_price": or_null(_MEAN, "Of the lowest price, over the time in stock."),
            "median_price": or_null(AMOUNT, "The smallest not exceeded for half of the time in stock."),
            "reason": _reason(TrendReason),
        }
    ),
    "PriceSummary": object_of(
        {
            **_OF_PRODUCT,
            "at": TIME | {"description": "Now."},
            "known_from": _KNOWN_FROM,
            "current": or_null(_PRICED, "The lowest price now."),
            "lowest_7_days": or_null(_PRICED),
            "lowest_30_days": or_null(_PRICED),
            "lowest_90_days": or_null(_PRICED),
            "lowest_all_time": or_null(_PRICED),
            "percentile_90_days": {
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 100,
                "description": "For how many percent of its time in stock the product was cheaper than now.",
            },
            "reference": or_null(_PRICED, "The lowest in the 30 days before the current price."),
            "reason": _reason(SummaryReason),
        }
    ),
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
_NO_PRICES = dict.fromkeys(OF_A_TREND)
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
