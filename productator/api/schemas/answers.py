"""The JSON that the API answers: each shape is declared once, for answers, OpenAPI document and exports.

In the OpenAPI document each has its name without `Json`. At run time an answer is a plain dict: pydantic
reads these declarations for the document only.
"""

from typing import Annotated, Generic, Literal, NotRequired, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from productator.catalogue.offers import OfferRow
from productator.catalogue.products import ProductRow, RefreshState
from productator.domain import (
    DESCRIPTION_LENGTH,
    MAX_AMOUNT,
    MAX_ID,
    NAME_LENGTH,
    REMOTE_ID_LENGTH,
    time_json,
)
from productator.models.product import LAST_ERROR_LENGTH

Item = TypeVar("Item")

Id = Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"})]
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT, json_schema_extra={"format": "int64"})]
Count = Annotated[int, Field(ge=0)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Currency = Annotated[
    str | None,
    Field(pattern="^[A-Z]{3}$", description="ISO 4217; the deployment's one currency, if it names any."),
]
NextUrl = Annotated[
    str | None,
    Field(
        json_schema_extra={"format": "uri-reference"},
        description="The address of the next page, or null on the last one.",
    ),
]


class ProductJson(TypedDict):
    id: Id
    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
    description: Annotated[str, Field(max_length=DESCRIPTION_LENGTH)]
    registration: Annotated[
        Literal["pending", "registered"],
        Field(description="`pending` until the refresher has registered it with the Offers service."),
    ]
    created_at: Time
    updated_at: Time


class OfferJson(TypedDict):
    id: Id
    product_id: Id
    source: Annotated[
        Literal["external", "own"],
        Field(description="`external`: the Offers service's; only `own` ones can be changed."),
    ]
    external_id: Annotated[
        str | None, Field(max_length=REMOTE_ID_LENGTH, description="The Offers service's id.")
    ]
    price: Amount
    currency: Currency
    items_in_stock: Amount
    created_at: Time
    updated_at: Time


class PageJson(TypedDict, Generic[Item]):
    items: list[Item]
    next: NextUrl


class ProductOffersJson(TypedDict):
    items: list[OfferJson]
    next: NextUrl
    refreshed_at: Annotated[Time | None, Field(description="When the Offers service was last read.")]
    stale: Annotated[bool, Field(description="Whether that was more than three periods ago, or never.")]


class RefreshStateJson(TypedDict):
    product_id: Id
    due_at: Annotated[
        Time,
        Field(description="When the refresher tries next, at the latest: while it tries, when it gives up."),
    ]
    refreshed_at: Annotated[Time | None, Field(description="When the Offers service was last read.")]
    failures: Annotated[Count, Field(description="How many tries in a row have failed.")]
    last_error: Annotated[
        str | None,
        Field(
            max_length=LAST_ERROR_LENGTH,
            description="Why the last try failed, or which offers it refused; null: all is well.",
        ),
    ]


class RefreshJson(TypedDict):
    product_id: Id
    due_at: Time


class AliveJson(TypedDict):
    status: Literal["alive"]


class ReadyJson(TypedDict):
    status: Literal["ready"]


class WrongValueJson(TypedDict):
    pointer: Annotated[str, Field(json_schema_extra={"format": "json-pointer"})]
    detail: str


class ProblemJson(TypedDict):
    type: Annotated[
        str,
        Field(
            json_schema_extra={"format": "uri-reference"},
            description="The type of the problem, which never changes; its address explains it.",
        ),
    ]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Field(description="The path of the request.")]
    request_id: Annotated[str, Field(description="The answer's `X-Request-Id`.")]
    errors: NotRequired[
        Annotated[
            list[WrongValueJson],
            Field(description="With `/problems/invalid-input`: every unacceptable field or query parameter."),
        ]
    ]


class ItemProblemJson(TypedDict):
    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Literal[422]
    detail: str
    errors: Annotated[
        list[WrongValueJson],
        Field(description="The first 20 unacceptable fields; the pointers are into the whole body."),
    ]


class BatchCreatedJson(TypedDict):
    status: Literal[201]
    location: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    etag: Annotated[str, Field(description="The product's strong entity tag, with its quotes.")]
    product: ProductJson


class BatchRefusedJson(TypedDict):
    status: Literal[422]
    problem: ItemProblemJson


class BatchAnswerJson(TypedDict):
    items: Annotated[
        list[BatchCreatedJson | BatchRefusedJson],
        Field(description="The outcome of each item, in the order of the request."),
    ]
    created: Count
    failed: Count


def refresh_state_json(product_id: int, state: RefreshState) -> RefreshStateJson:
    return {
        "product_id": product_id,
        "due_at": time_json(state.due_at),
        "refreshed_at": time_json(state.refreshed_at) if state.refreshed_at else None,
        "failures": state.failures,
        "last_error": state.last_error,
    }


def product_json(product: ProductRow) -> ProductJson:
    return {
        "id": product.id,
        "name": product.name,
        "description": product.description,
        "registration": "registered" if product.registered_at else "pending",
        "created_at": time_json(product.created_at),
        "updated_at": time_json(product.updated_at),
    }


def offer_json(offer: OfferRow, *, currency: str | None) -> OfferJson:
    return {
        "id": offer.id,
        "product_id": offer.product_id,
        "source": "own" if offer.remote_id is None else "external",
        "external_id": offer.remote_id,
        "price": offer.price,
        "currency": currency,
        "items_in_stock": offer.items_in_stock,
        "created_at": time_json(offer.created_at),
        "updated_at": time_json(offer.updated_at),
    }
