"""What is exported is imported again as it was."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.api.schemas.answers import ProductJson
from productator.domain import NewProduct
from productator.transfer.reading import IGNORED, READERS
from productator.transfer.writing import WRITERS

# More of what CSV and JSON find special than chance would bring.
CHARACTERS = st.sampled_from(",;\"'\n\r\t\\\ufeff\u2028=+@{}") | st.characters(
    codec="utf-8", exclude_characters="\0"
)
NAMES = st.text(CHARACTERS, min_size=1, max_size=30).filter(lambda name: name.strip())
COLUMNS = tuple(ProductJson.__annotations__)
DRAFTS = st.builds(NewProduct, NAMES, st.text(CHARACTERS, max_size=30))


def told(number: int, draft: NewProduct) -> dict[str, Any]:
    """A product as the API tells it."""
    times = {"created_at": "2026-11-23T12:00:00.000000Z", "updated_at": "2026-11-23T12:00:00.000000Z"}
    named = {"id": number, "name": draft.name, "description": draft.description}
    return named | {"registration": "pending"} | times


@pytest.mark.parametrize("format_", WRITERS)
@given(drafts=st.lists(DRAFTS, max_size=5))
def test_an_export_can_be_imported(format_: str, drafts: list[NewProduct]) -> None:
    stream = BytesIO()

    rows = (told(number, draft) for number, draft in enumerate(drafts))
    WRITERS[format_](stream, rows, COLUMNS)

    assert [record.draft for record in READERS[format_](stream)] == drafts


def test_an_import_knows_every_column_of_an_export() -> None:
    assert set(COLUMNS) == {"name", "description", *IGNORED}
