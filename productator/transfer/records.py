"""Records of files of products: valid ones, invalid ones, and the check that tells them apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from productator.catalogue.validation import ProductIn, wrong_fields
from productator.domain import NewProduct

# Fields that can be set.
FIELDS = ("name", "description")
# Fields of an export that cannot be set; an import ignores them.
IGNORED = ("id", "registration", "created_at", "updated_at")
NOT_UTF8 = "This is not UTF-8: save the file as UTF-8."


@dataclass(frozen=True, slots=True)
class Record:
    # The line of the file on which the record begins, from 1.
    line: int
    product: NewProduct
    # Its number in a JSON array, from 1; else 0.
    item: int = 0
    # Unknown columns or fields that were ignored.
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """A record that is not a product: for each mistake the field (or "") and a sentence."""

    line: int
    errors: list[tuple[str, str]]
    item: int = 0


Records = Iterator[Record | InvalidRecord]


def check_product(
    line: int, fields: Mapping[str, object], *, item: int = 0, ignored: tuple[str, ...] = ()
) -> Record | InvalidRecord:
    try:
        product = ProductIn.model_validate(fields).new_product()
    except ValidationError as error:
        found = wrong_fields(error)
        return InvalidRecord(
            line, [(".".join(map(str, location)), detail) for location, detail in found], item
        )
    return Record(line, product, item, ignored)
