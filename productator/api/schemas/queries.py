"""The query parameters of lists, as filters of the catalogue."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from productator.catalogue.offers import Filter
from productator.catalogue.validation import STORABLE, Location, storable
from productator.domain import MAX_AMOUNT, MAX_ID, NAME_LENGTH

MAX_PAGE = 200
_MAX_DIGITS = 30


class Query(BaseModel):
    """Every parameter may be left out."""

    model_config = ConfigDict(extra="forbid")

    def contradictions(self) -> list[tuple[Location, str]]:
        """What is wrong with values that are acceptable alone."""
        return []


def _plain_digits(text: object) -> object:
    # Pydantic alone would take "1_000", " 7 " and "5.0" as whole numbers.
    if not isinstance(text, str) or not (number := re.fullmatch("(-?)0*([0-9]+)", text, re.ASCII)):
        raise ValueError("must be a whole number")
    # A number cut to 30 digits still exceeds every bound, and is short enough for int().
    return number[1] + number[2][:_MAX_DIGITS]


_Digits = BeforeValidator(_plain_digits)
_Price = Annotated[int, Field(ge=0, le=MAX_AMOUNT), _Digits]
Limit = Annotated[
    int,
    Field(ge=1, description=f"More than {MAX_PAGE} is cut to {MAX_PAGE}."),
    _Digits,
    AfterValidator(lambda limit: min(limit, MAX_PAGE)),
]
Cursor = Annotated[str, Field(description="Opaque: taken from `next`, with the same filters.")]

IdInQuery = Annotated[int, Field(ge=1, le=MAX_ID), _Digits]

_SearchText = Annotated[
    str,
    Field(
        max_length=NAME_LENGTH,
        description="Words of the name, or their beginnings; all of them must be there.",
        json_schema_extra=STORABLE,
    ),
    AfterValidator(storable),
]


class ProductsQuery(Query):
    q: _SearchText | None = None
    sort: Literal["id", "-id", "name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"] = (
        "id"
    )
    limit: Limit = 50
    cursor: Cursor | None = None


class TokensQuery(Query):
    limit: Limit = 50
    cursor: Cursor | None = None


class ProductOffersQuery(Query):
    in_stock: Literal["true", "false"] | None = None
    min_price: _Price | None = None
    max_price: _Price | None = None
    sort: Literal["id", "price", "-price"] = "id"
    limit: Limit = 50
    cursor: Cursor | None = None

    def contradictions(self) -> list[tuple[Location, str]]:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            return [(("min_price",), "Must not be above `max_price`.")]
        return []

    def filter(self) -> Filter:
        in_stock = None if self.in_stock is None else self.in_stock == "true"
        return Filter(in_stock, self.min_price, self.max_price)


class OffersQuery(ProductOffersQuery):
    product_id: IdInQuery | None = None
