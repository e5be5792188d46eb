"""Cursors: our own give back their position, and all others are refused."""

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode

from productator.api.conventions import cursors
from productator.catalogue import offers, products
from productator.database.keyset import Order, Page, Position
from productator.domain import MAX_AMOUNT, MAX_ID, NAME_LENGTH
from productator.errors import CursorRejected

APP = Flask("cursors")
APP.add_url_rule("/offers", "offers", lambda: "")
KEY = "signs the cursors of tests"
cursors.init_app(APP, KEY)
BY_PRICE, BY_NAME, BY_TIME = offers.ORDERS["price"], products.ORDERS["name"], products.ORDERS["created_at"]


@pytest.fixture(autouse=True)
def _request() -> Iterator[None]:
    with APP.test_request_context("/offers?sort=price"):
        yield


def cursor(position: Position) -> str:
    return str(cursors.page_answer(Page([], position), []).get_json()["next"]).partition("cursor=")[2]


def signed(content: bytes) -> str:
    """A cursor of this content, with a right signature."""
    return Signer(KEY, salt="cursor").sign(base64_encode(content)).decode()


def forged(position: object) -> str:
    """A cursor of the requested list, with a right signature."""
    ours = json.loads(base64_decode(Signer(KEY, salt="cursor").unsign(cursor([7, 7]))))
    return signed(json.dumps([position, ours[1]]).encode())


IDS = st.integers(1, MAX_ID)


@given(st.integers(0, MAX_AMOUNT), IDS)
def test_a_cursor_gives_back_its_position(price: int, offer_id: int) -> None:
    assert cursors.position_of(cursor([price, offer_id]), BY_PRICE) == [price, offer_id]


@given(st.text(st.characters(codec="utf-8"), max_size=NAME_LENGTH), IDS)
def test_a_cursor_gives_back_a_name(name: str, product_id: int) -> None:
    assert cursors.position_of(cursor([name, product_id]), BY_NAME) == [name, product_id]


@given(st.datetimes(timezones=st.just(UTC)), IDS)
def test_a_cursor_gives_back_a_time(time: datetime, product_id: int) -> None:
    position: Position = [time.isoformat(), product_id]

    assert cursors.position_of(cursor(position), BY_TIME) == position


def test_the_longest_names_make_cursors_that_fit_into_an_address() -> None:
    name = "".join(chr(sign) for sign in range(0x10400, 0x10400 + NAME_LENGTH))

    assert len(cursor([name, MAX_ID])) < 4_096


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorRejected):
        cursors.position_of(text, BY_PRICE)


@given(st.integers(0, 40), st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]))
def test_a_changed_character_makes_a_cursor_invalid(place: int, sign: str) -> None:
    ours = cursor([7, 7])
    changed = ours[:place] + sign + ours[place + 1 :]

    assert changed == ours or refused(changed)


def refused(text: str) -> bool:
    with pytest.raises(CursorRejected):
        cursors.position_of(text, BY_PRICE)
    return True


@pytest.mark.parametrize("content", ["[]", '["x"]', "[[1,2],3]", "[null,null]", "{}", "7", '"ab"', "[[7,7]]"])
def test_a_signed_cursor_of_another_shape_is_refused(content: str) -> None:
    assert refused(signed(content.encode()))


@pytest.mark.parametrize("content", [b"", b"\xff", b"[7", b"[" * 5_000, b"9" * 5_000])
def test_a_signed_cursor_that_is_not_json_is_refused(content: bytes) -> None:
    assert refused(signed(content))


def test_a_small_cursor_is_not_unpacked_to_a_large_one() -> None:
    content = zlib.compress(b"[" + b"7," * 2_000_000 + b"7]")

    assert len(content) < 5_000
    assert refused(Signer(KEY, salt="cursor").sign(b"." + base64_encode(content)).decode())


POSITIONS: list[object] = [
    None,
    7,
    "77",
    {},
    [],
    [7],
    [7, 7, 7],
    [None, None],
    [7, "7"],
    [7, True],
    [7, -1],
    [7, 2**63],
]
PRICES: list[object] = [None, "7", True, 7.5, float("nan"), -1, 2**63, [7], {}]
NAMES: list[object] = [None, 7, ["Kettle"], "\ud800"]
TIMES: list[object] = [
    None,
    7,
    "",
    "yesterday",
    "2026-11-23",
    "2026-11-23T12:00:00",
    "2026-11-23T12:00:00Z",
    "2026-11-23T12:00:00+01:00",
    "0001-01-01T00:00:00+23:59",
]


@pytest.mark.parametrize(
    ("order", "position"),
    [
        *((BY_PRICE, position) for position in POSITIONS),
        *((BY_PRICE, [price, 7]) for price in PRICES),
        *((BY_NAME, [name, 7]) for name in NAMES),
        *((BY_TIME, [time, 7]) for time in TIMES),
    ],
)
def test_a_signed_position_of_other_types_is_refused(order: Order, position: object) -> None:
    with pytest.raises(CursorRejected):
        cursors.position_of(forged(position), order)


def test_a_cursor_is_safe_in_an_address_as_it_is() -> None:
    assert "%" not in cursor([MAX_AMOUNT, MAX_ID])


def test_no_cursor_is_the_first_page() -> None:
    assert cursors.position_of(None, BY_PRICE) is None
    assert cursors.page_answer(Page([], None), []).get_json() == {"items": [], "next": None}
