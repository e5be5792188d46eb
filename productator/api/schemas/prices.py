"""The shapes of all answers about prices over time, each declared once.

The OpenAPI document and the columns of the export are made of them. A component of the document is named like
its class, without the `Json`.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from productator.api.schemas.answers import Amount, Currency, Id, NextUrl, Time
from productator.domain import REMOTE_ID_LENGTH
from productator.prices.buckets import MAX_POINTS, Interval

_Mean = Annotated[float, Field(ge=0, description="Weighted by time; two decimals.")]
_Share = Annotated[float, Field(ge=0, le=1)]


class _OfProductJson(TypedDict):
    product_id: Id
    currency: Currency


# These two are no classes, since `from` cannot be the name of an attribute.
RangeJson = TypedDict(
    "RangeJson",
    {"from": Time, "to": Annotated[Time, Field(description="Exclusive, and never in the future.")]},
)
_BucketJson = TypedDict("_BucketJson", {"from": Time, "to": Time})


class PricePointJson(_BucketJson):
    lowest_price: Annotated[
        Amount | None, Field(description="The lowest at any time; null: nothing was in stock.")
    ]
    average_price: Annotated[
        _Mean | None, Field(description="The mean of the offers in stock, over the time in stock.")
    ]
    highest_price: Annotated[
        Amount | None, Field(description="The highest of any offer in stock at any time.")
    ]
    average_lowest_price: Annotated[
        _Mean | None, Field(description="The mean of the lowest price over the time in stock.")
    ]
    offers: _Mean
    items_in_stock: _Mean
    in_stock_share: Annotated[_Share, Field(description="Of the time, the part with anything in stock.")]


class PriceHistoryJson(_OfProductJson, RangeJson):
    interval: Interval
    items: Annotated[list[PricePointJson], Field(max_length=MAX_POINTS)]
    next: NextUrl


class PriceAtJson(TypedDict):
    price: Amount
    at: Annotated[Time, Field(description="Since when, within the range.")]


_KnownFrom = Annotated[
    Time | None, Field(description="The first time in the range that anything is known of.")
]


class TrendFiguresJson(TypedDict):
    first: Annotated[PriceAtJson | None, Field(description="The first lowest price in stock.")]
    last: Annotated[PriceAtJson | None, Field(description="The last lowest price in stock.")]
    change: Annotated[int | None, Field(description="From the first to the last.")]
    change_percent: Annotated[float | None, Field(description="Two decimals.")]
    direction: Literal["up", "down", "same"] | None
    lowest: PriceAtJson | None
    highest: Annotated[PriceAtJson | None, Field(description="The highest that the lowest price was.")]
    average_price: Annotated[_Mean | None, Field(description="Of the lowest price, over the time in stock.")]
    median_price: Annotated[
        Amount | None, Field(description="The smallest not exceeded for half of the time in stock.")
    ]


TrendReason = Literal["no_history", "never_in_stock", "first_price_zero"]
_WHY_NULL = Field(description="Why figures are null.")


class PriceTrendJson(_OfProductJson, RangeJson, TrendFiguresJson):
    known_from: _KnownFrom
    in_stock_share: Annotated[_Share | None, Field(description="Of the time that is known.")]
    reason: Annotated[TrendReason | None, _WHY_NULL]


SummaryReason = Literal["no_history", "not_in_stock"]


class PriceSummaryJson(_OfProductJson):
    at: Annotated[Time, Field(description="Now.")]
    known_from: _KnownFrom
    current: Annotated[PriceAtJson | None, Field(description="The lowest price now.")]
    lowest_7_days: PriceAtJson | None
    lowest_30_days: PriceAtJson | None
    lowest_90_days: PriceAtJson | None
    lowest_all_time: PriceAtJson | None
    percentile_90_days: Annotated[
        Annotated[float, Field(ge=0, le=100)] | None,
        Field(
            description="For how many percent of its time in stock the product was cheaper than now.",
        ),
    ]
    reference: Annotated[
        PriceAtJson | None,
        Field(description="The lowest in the 30 days before the current price was applied."),
    ]
    reason: Annotated[SummaryReason | None, _WHY_NULL]


_Became = Field(description="What it became; null: it was removed.")


ChangeName = Literal["appeared", "changed", "removed"]


class OfferChangeJson(TypedDict):
    product_id: Id
    offer_id: Id
    source: Literal["external", "own"]
    external_id: Annotated[str, Field(max_length=REMOTE_ID_LENGTH)] | None
    change: ChangeName
    price: Annotated[Amount | None, _Became]
    currency: Currency
    items_in_stock: Annotated[Amount | None, _Became]
    changed_at: Time


class OfferChangePageJson(TypedDict):
    items: list[OfferChangeJson]
    next: NextUrl
