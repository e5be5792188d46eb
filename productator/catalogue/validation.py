"""Validation of the products that clients and files bring."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from productator.domain import DESCRIPTION_LENGTH, NAME_LENGTH, NewProduct


def storable(text: str) -> str:
    # Not every database keeps a NUL in a text.
    if "\x00" in text:
        raise ValueError("a NUL character is not allowed")
    return text


# Nothing shows them: control characters, blanks, and what Unicode calls default ignorable. The last three
# ranges are not escaped, since Python and the OpenAPI document have no common escape for them.
_INVISIBLE = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BLANK = re.compile(f"[{_INVISIBLE}]*")


def is_blank(text: str) -> bool:
    return bool(_BLANK.fullmatch(text))


def not_blank(text: str) -> str:
    if is_blank(text):
        raise ValueError("must not be blank")
    return text


# The rules above as patterns of the OpenAPI document.
STORABLE: dict[str, Any] = {"pattern": r"^[^\u0000]*$"}
NAME_PATTERN = rf"^[^\u0000]*[^{_INVISIBLE}][^\u0000]*$"

Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_LENGTH, json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(not_blank),
    AfterValidator(storable),
]
Description = Annotated[
    str, Field(max_length=DESCRIPTION_LENGTH, json_schema_extra=STORABLE), AfterValidator(storable)
]


def _whole(number: object) -> object:
    # JSON has one kind of number: 5.0 is 5, and some languages write it so.
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = BeforeValidator(_whole)


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ProductIn(StrictModel):
    name: Name
    description: Description | None = ""  # null: none, as in a patch

    def new_product(self) -> NewProduct:
        return NewProduct(self.name, self.description or "")


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
