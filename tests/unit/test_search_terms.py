"""Words: what a search asks for begins what a name was spelt as, whatever is written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.domain import NAME_LENGTH
from productator.models.search_terms import WORDS_LENGTH, spelt, wanted

TEXTS = st.text(st.characters(codec="utf-8"), max_size=NAME_LENGTH)


@pytest.mark.parametrize(
    ("text", "words"),
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
def test_a_name_is_spelt_in_plain_words(text: str, words: str) -> None:
    assert spelt(text) == words.replace("D0B9", "D0B8")  # й is и with a mark


@given(TEXTS)
def test_a_full_text_index_can_take_every_word(text: str) -> None:
    assert len(spelt(text)) <= WORDS_LENGTH
    assert re.fullmatch("(__[0-9a-zA-Z]{1,80}( |$))*_{0,2}", spelt(text))


@given(TEXTS)
def test_a_text_finds_itself(text: str) -> None:
    assert all(word in spelt(text) for word in wanted(text)[:100])


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_the_beginning_of_a_text_finds_it(text: str) -> None:
    assert all(word in spelt(text) for length in range(len(text)) for word in wanted(text[:length]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("machine espresso", ["__espresso", "__machine"]),
        ("esp espresso ESP es", ["__espresso"]),
        ("a an the", ["__the", "__an"]),
        ('+esp* -mach "x" ~<>()@5', ["__mach", "__esp", "__5", "__x"]),
        ("...", []),
    ],
)
def test_a_search_wants_each_word_once_and_long_ones_first(text: str, words: list[str]) -> None:
    assert wanted(text) == words
