"""Cursors: ours are read back exactly, and nothing else is."""

from collections.abc import Iterator

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from productator.api import paging
from productator.domain import MAX_AMOUNT, MAX_ID
from productator.errors import CursorRejected
from productator.services.paging import Page

APP = Flask("cursors")
paging.init_app(APP, "signs the cursors of tests")


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    with APP.test_request_context("/offers?sort=price"):
        yield


def cursor(position: list[int]) -> str:
    return str(paging.page_json(Page([], position), [])["next"]).partition("cursor=")[2]


@given(st.tuples(st.integers(0, MAX_AMOUNT), st.integers(1, MAX_ID)))
def test_a_cursor_gives_back_its_position(position: tuple[int, int]) -> None:
    assert paging.position_of(cursor(list(position))) == list(position)


@given(st.text())
def test_no_text_but_a_cursor_is_taken(text: str) -> None:
    with pytest.raises(CursorRejected):
        paging.position_of(text)


@given(st.integers(0, 40), st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]))
def test_a_changed_sign_makes_a_cursor_void(place: int, sign: str) -> None:
    ours = cursor([7, 7])
    changed = ours[:place] + sign + ours[place + 1 :]

    assert changed == ours or refused(changed)


def refused(text: str) -> bool:
    with pytest.raises(CursorRejected):
        paging.position_of(text)
    return True


def test_a_cursor_is_safe_in_an_address_as_it_is() -> None:
    assert "%" not in cursor([MAX_AMOUNT, MAX_ID])


def test_no_cursor_is_the_first_page() -> None:
    assert paging.position_of(None) is None
    assert paging.page_json(Page([], None), []) == {"items": [], "next": None}
