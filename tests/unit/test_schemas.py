"""Bodies: acceptable values are taken exactly, and no other value is converted."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from productator.api.schemas.bodies import OfferIn, OfferPatch, ProductPatch
from productator.catalogue.validation import ProductIn
from productator.domain import MAX_AMOUNT, NAME_LENGTH, NewProduct, OwnOffer

AMOUNTS = st.integers(0, MAX_AMOUNT)
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=NAME_LENGTH // 2 - 1)
NAMES = st.tuples(ANY_TEXT, st.sampled_from("x!\u00e9\u0301\u8336\U0001f697"), ANY_TEXT).map("".join)
HIDDEN = {"Cc", "Cf", "Zs", "Zl", "Zp"}
# These have a shape of their own, or give others one.
SHOWN_FORMATS = ("ARABIC ", "SYRIAC ABBREVIATION", "KAITHI ", "EGYPTIAN ")
NO_AMOUNTS = st.one_of(
    st.integers(max_value=-1),
    st.integers(min_value=MAX_AMOUNT + 1),
    st.floats().filter(lambda number: not number.is_integer()),
    st.booleans(),
    st.text(),
    st.none(),
    st.lists(st.integers()),
)


@given(AMOUNTS, AMOUNTS)
def test_amounts_within_bounds_are_taken_exactly(price: int, items_in_stock: int) -> None:
    taken = OfferIn.model_validate({"price": price, "items_in_stock": items_in_stock})

    assert taken.own_offer() == OwnOffer(price, items_in_stock)


@given(NO_AMOUNTS)
def test_nothing_else_is_an_amount(value: object) -> None:
    with pytest.raises(ValidationError):
        OfferPatch.model_validate({"price": value})


@given(NAMES)
def test_a_name_is_taken_exactly(name: str) -> None:
    assert ProductIn.model_validate({"name": name}).new_product() == NewProduct(name, "")


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_name_holds_a_nul(before: str, after: str) -> None:
    with pytest.raises(ValidationError):
        ProductIn.model_validate({"name": f"{before}\0{after}"})


@given(st.text(alphabet=" \t\r\n\x01\u00a0\u00ad\u2003\u200b\u3000\u3164\ufeff\U000e0041", max_size=20))
def test_invisible_characters_are_no_name(blanks: str) -> None:
    with pytest.raises(ValidationError):
        ProductIn.model_validate({"name": blanks})


@given(st.dictionaries(st.sampled_from(["price", "items_in_stock"]), AMOUNTS))
def test_a_patch_changes_just_what_it_names(patch: dict[str, int]) -> None:
    assert OfferPatch.model_validate(patch).changes() == patch


def test_a_patch_distinguishes_null_and_absent() -> None:
    assert ProductPatch.model_validate({"description": None}).changes() == {"description": ""}
    assert ProductPatch.model_validate({}).changes() == {}


def test_every_character_that_nothing_shows_is_invisible() -> None:
    hidden = [chr(code) for code in range(1, 0x11_0000) if unicodedata.category(chr(code)) in HIDDEN]

    shown = {character for character in hidden if not _is_refused(character)}
    assert all(unicodedata.name(character).startswith(SHOWN_FORMATS) for character in shown)


def _is_refused(name: str) -> bool:
    try:
        ProductIn.model_validate({"name": name})
    except ValidationError:
        return True
    return False
