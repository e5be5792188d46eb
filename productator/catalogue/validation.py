"""Validation of the products that clients and files bring."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from productator.domain import DESCRIPTION_LENGTH, NAME_LENGTH, NewProduct


def storable(text: str) -> str:
    # Not every database keeps a NUL in a text.
    if "\x00" in text:
        raise ValueError("a NUL character is not allowed")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


# The two rules above as patterns of the OpenAPI document, whose "\\s" would mean other blanks than Python's.
_BLANKS = r"\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
STORABLE: dict[str, Any] = {"pattern": r"^[^\u0000]*$"}
NAME_PATTERN = rf"^[^\u0000]*[^\u0000{_BLANKS}][^\u0000]*$"

Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_LENGTH, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(_not_blank),
    AfterValidator(storable),
]
Description = Annotated[
    str, Field(max_length=DESCRIPTION_LENGTH, json_schema_extra=STORABLE), AfterValidator(storable)
]


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ProductIn(StrictModel):
    name: Name
    description: Description = ""

    def new_product(self) -> NewProduct:
        return NewProduct(self.name, self.description)


Location = tuple[int | str, ...]


def wrong_fields(error: ValidationError) -> list[tuple[Location, str]]:
    """The location of each wrong value, and a sentence that says what is wrong."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    # Pydantic's own sentence names the class.
    return [
        (each["loc"], "Must be an object." if each["type"] == "model_type" else _sentence(each["msg"]))
        for each in found
    ]


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].upper() + text[1:] + "."
