"""JSON to domain values, rows to JSON."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Response, current_app
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Row

from productator.catalogue.offers import Filter
from productator.catalogue.validation import STORABLE, Body, Description, Name, storable
from productator.domain import MAX_AMOUNT, MAX_ID, NAME_LENGTH, OwnOffer
from productator.models import Offer, Product

MAX_PAGE = 200
MAX_BATCH = 1_000


def _whole(number: object) -> object:
    # JSON has one kind of number: 5.0 is 5, and some languages write it so.
    return int(number) if isinstance(number, float) and number.is_integer() else number


Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT), BeforeValidator(_whole)]


class ProductBatch(Body):
    items: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            description="Each a `ProductIn`; whatever else it is, is refused by itself.",
        ),
    ]


def _without_defaults(schema: dict[str, Any]) -> None:
    # They only stand for "not given", so a reader of the OpenAPI document is not told of them.
    for field in schema["properties"].values():
        field.pop("default", None)


class _Patch(Body):
    model_config = ConfigDict(json_schema_extra=_without_defaults)


class ProductPatch(_Patch):
    """A merge patch: what is absent stays, and null removes."""

    name: Name = ""
    description: Description | None = None

    def changes(self) -> dict[str, str]:
        return {field: getattr(self, field) or "" for field in self.model_fields_set}


class OfferIn(Body):
    price: Amount
    items_in_stock: Amount

    def data(self) -> OwnOffer:
        return OwnOffer(self.price, self.items_in_stock)


class OfferPatch(_Patch):
    price: Amount = 0
    items_in_stock: Amount = 0

    def changes(self) -> dict[str, int]:
        return {field: getattr(self, field) for field in self.model_fields_set}


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


_DIGITS = 30


def _plain_digits(text: object) -> object:
    # Left alone, "1_000", " 7 " and "5.0" would count as whole numbers.
    if not isinstance(text, str) or not (number := re.fullmatch("(-?)0*([0-9]+)", text, re.ASCII)):
        raise ValueError("must be a whole number")
    # Beyond every bound as before, but short enough to be read as a number.
    return number[1] + number[2][:_DIGITS]


_Digits = BeforeValidator(_plain_digits)
Price = Annotated[int, Field(ge=0, le=MAX_AMOUNT), _Digits]
Limit = Annotated[
    int,
    Field(ge=1, description=f"More than {MAX_PAGE} is cut to {MAX_PAGE}."),
    _Digits,
    AfterValidator(lambda limit: min(limit, MAX_PAGE)),
]
Cursor = Annotated[str, Field(description="Opaque: taken from `next`, with the same filters.")]

SearchText = Annotated[
    str,
    Field(
        max_length=NAME_LENGTH,
        description="Words of the name, or their beginnings; all of them must be there.",
        json_schema_extra=STORABLE,
    ),
    AfterValidator(storable),
]


class ProductsQuery(Query):
    q: SearchText | None = None
    sort: Literal["id", "-id", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"] = (
        "id"
    )
    limit: Limit = 50
    cursor: Cursor | None = None


class _OfferFilters(Query):
    in_stock: Literal["true", "false"] | None = None
    min_price: Price | None = None
    max_price: Price | None = None

    def filter(self) -> Filter:
        in_stock = None if self.in_stock is None else self.in_stock == "true"
        return Filter(in_stock, self.min_price, self.max_price)


class ProductOffersQuery(_OfferFilters):
    sort: Literal["id", "price", "-price"] = "id"


class OffersQuery(ProductOffersQuery):
    product_id: Annotated[int, Field(ge=1, le=MAX_ID), _Digits] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


def product_json(product: Product | Row[Any]) -> dict[str, Any]:
    return {
        "id": product.id,
        "name": product.name,
        "description": product.description,
        "registration": "registered" if product.registered_at else "pending",
        "created_at": time_json(product.created_at),
        "updated_at": time_json(product.updated_at),
    }


def offer_json(offer: Offer | Row[Any], *, currency: str | None) -> dict[str, Any]:
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


def time_json(time: datetime) -> str:
    # All times are UTC, so what is cut off is "+00:00".
    return time.isoformat(timespec="microseconds")[:-6] + "Z"


def json_response(
    body: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return current_app.response_class(text, status=status, headers=headers, content_type=content_type)


def no_content() -> Response:
    response = current_app.response_class(status=204)
    del response.headers["Content-Type"]
    return response
