"""The JSON bodies that clients send."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from productator.api.conventions.time_ranges import Moment
from productator.catalogue.validation import NAME_PATTERN, Description, Name, StrictModel, Whole, not_blank
from productator.domain import MAX_AMOUNT, TOKEN_NAME_LENGTH, OwnOffer

MAX_BATCH = 1_000


def _printable(text: str) -> str:
    # It is shown in terminals, too.
    if not text.isprintable():
        raise ValueError("must have printable characters only")
    return text


TokenName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=TOKEN_NAME_LENGTH,
        json_schema_extra={"pattern": NAME_PATTERN},
        description="Printable characters, not only blanks.",
    ),
    AfterValidator(not_blank),
    AfterValidator(_printable),
]


class TokenIn(StrictModel):
    name: TokenName
    scopes: Annotated[
        list[Literal["read", "write", "admin"]],
        Field(min_length=1, max_length=10, description="Each includes the ones before it."),
    ]
    expires_at: Annotated[
        Moment | None, Field(description="A time in the future; null: the token does not expire.")
    ] = None


_Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT), Whole]


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
