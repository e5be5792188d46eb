"""Search terms: the terms of a query begin the terms of the names that it finds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.domain import NAME_LENGTH
from productator.models.search_terms import TERMS_LENGTH, index_terms, query_terms

TEXTS = st.text(st.characters(codec="utf-8"), max_size=NAME_LENGTH)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Espresso Machine", "__espresso __machine"),
        ("De'Longhi EC-685", "__de __longhi __ec __685"),
        ("snake_case", "__snake __case"),
        ("Čaj, ČAJ a čaj", "__caj __a"),
        ("straße ﬁlter ½", "__strasse __filter __1 __2"),
        ("ŁÓDŹ Ørsted", "__lodz __orsted"),
        ("咖啡 机", "__E59296 __E595A1 __E69CBA"),
        ("чай", "__D187D0B0D0B9"),
        ("🎉 + % -", ""),
    ],
)
def test_a_name_is_encoded_as_plain_terms(text: str, terms: str) -> None:
    assert index_terms(text) == terms.replace("D0B9", "D0B8")  # й is и with a mark


@given(TEXTS)
def test_a_full_text_index_can_take_every_term(text: str) -> None:
    assert len(index_terms(text)) <= TERMS_LENGTH
    assert re.fullmatch("(__[0-9a-zA-Z]{1,80}( |$))*_{0,2}", index_terms(text))


@given(TEXTS)
def test_a_text_finds_itself(text: str) -> None:
    assert all(term in index_terms(text) for term in query_terms(text)[:100])


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_the_beginning_of_a_text_finds_it(text: str) -> None:
    beginnings = (text[:length] for length in range(len(text)))

    assert all(term in index_terms(text) for each in beginnings for term in query_terms(each))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("machine espresso", ["__espresso", "__machine"]),
        ("esp espresso ESP es", ["__espresso"]),
        ("a an the", ["__the", "__an"]),
        ('+esp* -mach "x" ~<>()@5', ["__mach", "__esp", "__5", "__x"]),
        ("...", []),
    ],
)
def test_a_query_has_each_term_once_and_long_ones_first(text: str, terms: list[str]) -> None:
    assert query_terms(text) == terms
