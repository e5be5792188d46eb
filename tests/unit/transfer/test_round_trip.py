"""An import of an export gives the same products, and so does that of any table that keeps them."""

import csv
from io import BytesIO, StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.api.schemas.answers import ProductJson
from productator.domain import NewProduct
from productator.transfer.reading import READERS
from productator.transfer.records import IGNORED, Record
from productator.transfer.writing import WRITERS

# More characters with a meaning in CSV and JSON than chance would bring.
CHARACTERS = st.sampled_from(",;\"'\n\r\t\\\ufeff\u2028=+@{}") | st.characters(
    codec="utf-8", exclude_characters="\0"
)
SOME = st.text(CHARACTERS, max_size=15)
NAMES = st.tuples(SOME, st.sampled_from("x!\u00e9\u8336"), SOME).map("".join)
COLUMNS = tuple(ProductJson.__annotations__)
PRODUCTS = st.builds(NewProduct, NAMES, st.text(CHARACTERS, max_size=30))


def api_json(number: int, product: NewProduct) -> dict[str, Any]:
    """A product as the API answers it."""
    times = {"created_at": "2026-11-23T12:00:00.000000Z", "updated_at": "2026-11-23T12:00:00.000000Z"}
    named = {"id": number, "name": product.name, "description": product.description}
    return named | {"registration": "pending"} | times


@pytest.mark.parametrize("format_", WRITERS)
@given(products=st.lists(PRODUCTS, max_size=5))
def test_an_export_can_be_imported(format_: str, products: list[NewProduct]) -> None:
    stream = BytesIO()

    rows = (api_json(number, product) for number, product in enumerate(products))
    WRITERS[format_](stream, rows, COLUMNS)

    records = list(READERS[format_](stream))
    assert [isinstance(record, Record) and record.product for record in records] == products


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(products=st.lists(PRODUCTS, max_size=5))
def test_a_table_can_be_imported_in_whatever_form(
    separator: str, line_end: str, encoding: str, products: list[NewProduct]
) -> None:
    table = StringIO(newline="")
    writer = csv.writer(table, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("Name", "Description"), *((each.name, each.description) for each in products)])

    records = list(READERS["csv"](BytesIO(table.getvalue().encode(encoding))))

    assert [isinstance(record, Record) and record.product for record in records] == products


def test_an_import_knows_every_column_of_an_export() -> None:
    assert set(COLUMNS) == {"name", "description", *IGNORED}
