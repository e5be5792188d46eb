"""Cursors: our own give back their position, and all others are refused."""

from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from productator.api.conventions import cursors
from productator.database.keyset import Page, Position
from productator.domain import MAX_AMOUNT, MAX_ID, NAME_LENGTH
from productator.errors import CursorRejected

APP = Flask("cursors")
APP.add_url_rule("/offers", "offers", lambda: "")
cursors.init_app(APP, "signs the cursors of tests")


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    with APP.test_request_context("/offers?sort=price"):
        yield


def cursor(position: Position) -> str:
    return str(cursors.page_answer(Page([], position), []).get_json()["next"]).partition("cursor=")[2]


KEYS = st.integers(0, MAX_AMOUNT) | st.text(st.characters(codec="utf-8"), max_size=NAME_LENGTH)


@given(st.tuples(KEYS, st.integers(1, MAX_ID)))
def test_a_cursor_gives_back_its_position(position: tuple[int | str, int]) -> None:
    assert cursors.position_of(cursor(list(position))) == list(position)


def test_the_longest_names_make_cursors_that_fit_into_an_address() -> None:
    name = "".join(chr(sign) for sign in range(0x10400, 0x10400 + NAME_LENGTH))

    assert len(cursor([name, MAX_ID])) < 4_096


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorRejected):
        cursors.position_of(text)


@given(st.integers(0, 40), st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]))
def test_a_changed_character_makes_a_cursor_invalid(place: int, sign: str) -> None:
    ours = cursor([7, 7])
    changed = ours[:place] + sign + ours[place + 1 :]

    assert changed == ours or refused(changed)


def refused(text: str) -> bool:
    with pytest.raises(CursorRejected):
        cursors.position_of(text)
    return True


def test_a_cursor_is_safe_in_an_address_as_it_is() -> None:
    assert "%" not in cursor([MAX_AMOUNT, MAX_ID])


def test_no_cursor_is_the_first_page() -> None:
    assert cursors.position_of(None) is None
    assert cursors.page_answer(Page([], None), []).get_json() == {"items": [], "next": None}
