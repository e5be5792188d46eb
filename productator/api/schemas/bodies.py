"""The JSON bodies that clients send."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from productator.catalogue.validation import Description, Name, StrictModel
from productator.domain import MAX_AMOUNT, OwnOffer

MAX_BATCH = 1_000


def _whole(number: object) -> object:
    # JSON has one kind of number: 5.0 is 5, and some languages write it so.
    return int(number) if isinstance(number, float) and number.is_integer() else number


_Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT), BeforeValidator(_whole)]


class ProductBatch(StrictModel):
    items: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=MAX_BATCH,
            description="Each a `ProductIn`; any other item is refused on its own.",
        ),
    ]


def _without_defaults(schema: dict[str, Any]) -> None:
    # A default only stands for "not given", so the OpenAPI document leaves it out.
    for field in schema["properties"].values():
        field.pop("default", None)


class Patch(StrictModel):
    model_config = ConfigDict(json_schema_extra=_without_defaults)


class ProductPatch(Patch):
    """A merge patch: absent fields stay, and null removes."""

    name: Name = ""
    description: Description | None = None

    def changes(self) -> dict[str, str]:
        return {field: getattr(self, field) or "" for field in self.model_fields_set}


class OfferIn(StrictModel):
    price: _Amount
    items_in_stock: _Amount

    def own_offer(self) -> OwnOffer:
        return OwnOffer(self.price, self.items_in_stock)


class OfferPatch(Patch):
    price: _Amount = 0
    items_in_stock: _Amount = 0

    def changes(self) -> dict[str, int]:
        return {field: getattr(self, field) for field in self.model_fields_set}
