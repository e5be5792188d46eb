"""The contract: how answers are read, and which error means what."""

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productator.domain import MAX_AMOUNT, OfferData
from productator.errors import (
    AnotherTokenIsValid,
    OffersProtocolError,
    OffersServiceError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import contract
from productator.offers_service.contract import AccessToken, OffersAnswer, OffersRequest
from productator.offers_service.offer_list import OfferList, RefusedOffer, summary
from tests.refresher.builders import NOW, REMOTE_ID, answer, listed, offer

UUID_TEXT = "0f3a2c1e-9e3b-4a58-8a5b-3f1d0a1b2c3d"
FIVE_MINUTES = timedelta(minutes=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in listed().items() if name != field}


def jwt(payload: Any) -> str:
    """A token as generation 2 makes it: three parts, base64 without padding."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"eyJh.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}.c2ln"


def access_token(value: Any, *, refreshing: bool = True, status: int = 201) -> AccessToken:
    return contract.access_token(
        answer({"access_token": value}, status=status), refreshing=refreshing, now=NOW
    )


# --- requests


def test_a_registration_names_id_name_and_description() -> None:
    request = contract.registration(REMOTE_ID, "Lamp ☀", "Gives light")

    assert (request.method, request.path) == ("POST", "/products/register")
    assert json.loads(request.body or b"") == {
        "id": REMOTE_ID,
        "name": "Lamp ☀",
        "description": "Gives light",
    }


def test_reading_names_the_product_in_the_path() -> None:
    assert contract.reading(REMOTE_ID) == OffersRequest("GET", f"/products/{REMOTE_ID}/offers")


# --- offers


def offers_in(content: Any) -> list[OfferData]:
    """Of a list without wrong offers."""
    found = contract.offers(answer(content))
    assert not found.refused
    return found.offers


def test_offers_of_generation_1_have_integer_ids_that_are_kept_as_text() -> None:
    found = offers_in([listed(id=2**60), listed(id=7)])

    assert [each.id for each in found] == [str(2**60), "7"]


def test_offers_of_generation_2_have_uuids() -> None:
    assert offers_in([listed(id=UUID_TEXT)]) == [offer(UUID_TEXT)]


def test_an_empty_list_is_legal() -> None:
    assert contract.offers(answer([])) == OfferList([])


def test_price_and_stock_are_read_by_name_in_any_order() -> None:
    body = b'[{"items_in_stock": 9, "price": 250, "id": 1}]'

    assert offers_in(body) == [OfferData("1", price=250, items_in_stock=9)]


def test_unknown_fields_do_not_matter() -> None:
    assert offers_in([listed(seller={"name": "x"}, tags=["new"], discount=None)]) == [offer()]


@pytest.mark.parametrize("amount", [0, 1, MAX_AMOUNT])
@pytest.mark.parametrize("field", ["price", "items_in_stock"])
def test_amounts_from_0_to_the_largest_are_taken(field: str, amount: int) -> None:
    (found,) = offers_in([listed(**{field: amount})])

    assert getattr(found, field) == amount


@pytest.mark.parametrize("field", ["price", "items_in_stock"])
def test_a_whole_number_may_be_written_with_a_fraction(field: str) -> None:
    (found,) = offers_in(f'[{{"price": 1, "items_in_stock": 1, "id": 7.0, "{field}": 1990.0}}]'.encode())

    assert (found.id, getattr(found, field)) == ("7", 1990)
    assert isinstance(getattr(found, field), int)


@pytest.mark.parametrize("amount", ["12", 12.5, True, None, -1, -2.0, MAX_AMOUNT + 1, 2**70, 1e300, [1], {}])
@pytest.mark.parametrize("field", ["price", "items_in_stock"])
def test_an_invalid_amount_refuses_one_offer(field: str, amount: Any) -> None:
    found = contract.offers(answer([listed(), listed(id=2) | {field: amount}]))

    assert (found.offers, [each.id for each in found.refused]) == ([offer()], ["2"])
    assert f"offer 2: its {field} is" in summary(found.refused)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 10_000, "1e999"])
def test_a_number_beyond_all_numbers_refuses_one_offer(number: str) -> None:
    body = f'[{{"id":1,"price":100,"items_in_stock":5}},{{"id":2,"price":{number},"items_in_stock":1}}]'
    found = contract.offers(answer(body.encode()))

    assert (found.offers, [each.id for each in found.refused]) == ([offer()], ["2"])


@pytest.mark.parametrize(("field", "refused"), [("id", None), ("price", "1"), ("items_in_stock", "1")])
def test_a_missing_field_refuses_one_offer(field: str, refused: str | None) -> None:
    found = contract.offers(answer([listed(id=2), without(field)]))

    assert (found.offers, [each.id for each in found.refused]) == ([offer("2")], [refused])


@pytest.mark.parametrize(
    "offer_id",
    [None, True, 1.5, 1e300, "", "a" * 65, 10**70, "a b", " a", "a\n", "é", "\x00", ["a"], {"id": 1}],
)
def test_an_invalid_id_refuses_one_offer(offer_id: Any) -> None:
    found = contract.offers(answer([listed(id="good"), listed(id=offer_id)]))

    assert (found.offers, [each.id for each in found.refused]) == ([offer("good")], [None])


@pytest.mark.parametrize("entry", [1, None, [], "offer"])
def test_what_is_no_offer_at_all_is_refused_alone(entry: Any) -> None:
    assert contract.offers(answer([entry, listed()])) == OfferList(
        [offer()], (RefusedOffer(None, "it is not an object"),)
    )


@pytest.mark.parametrize("ids", [(1, 1), ("a", "a"), (1, "1"), (1, 1.0)])
def test_an_offer_that_is_listed_twice_counts_once(ids: tuple[Any, Any]) -> None:
    assert len(offers_in([listed(id=each) for each in ids])) == 1


@pytest.mark.parametrize("other", [{"price": 101}, {"items_in_stock": 4}, {"price": None}])
def test_an_offer_that_is_listed_twice_with_different_values_refuses_the_list(other: dict[str, Any]) -> None:
    with pytest.raises(OffersProtocolError, match="Offer 1 is listed twice"):
        contract.offers(answer([listed(), listed() | other, listed(id=2)]))


def test_a_list_of_wrong_offers_only_is_an_error() -> None:
    with pytest.raises(OffersProtocolError, match=r"4 of its offers refused .*; 1 more"):
        contract.offers(answer([listed(id=each, price=None) for each in range(4)]))


def test_a_list_of_more_offers_than_allowed_is_an_error_that_names_the_setting() -> None:
    content = [listed(id=each) for each in range(3)]

    assert len(contract.offers(answer(content), most=3).offers) == 3
    with pytest.raises(OffersProtocolError, match="3 offers; PRODUCTATOR_MAX_OFFERS allows 2"):
        contract.offers(answer(content), most=2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b'[{"id": 1, "price": 100',
        b"\xff\xfe\xfa",
        b"[" * 100_000,
        b'[{"id":1,"price":' + b"9" * 10_000 + b',"items_in_stock":1}]',
        b'[{"id":1,"price":NaN,"items_in_stock":1}]',
        b"null",
        b"12",
        b'"offers"',
        b'{"offers": []}',
        b"[1]",
        b"[null]",
        b"[[]]",
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_a_malformed_answer_is_an_error_and_never_no_offers(body: bytes) -> None:
    with pytest.raises(OffersProtocolError):
        contract.offers(answer(body))


@given(content=json_values)
def test_any_content_leads_to_offers_or_a_typed_error(content: Any) -> None:
    try:
        found = contract.offers(answer(content)).offers
    except OffersServiceError:
        found = []

    assert all(0 <= each.price <= MAX_AMOUNT for each in found)


@given(body=st.binary(max_size=200))
def test_any_bytes_lead_to_a_typed_error(body: bytes) -> None:
    try:
        found = contract.offers(answer(body)).offers
    except OffersServiceError:
        found = []

    assert isinstance(found, list)


# --- statuses

READERS = [contract.offers, contract.check_registered]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 429, 408, 425])
def test_an_overloaded_service_is_unavailable_and_says_for_how_long(reader: Any, status: int) -> None:
    with pytest.raises(OffersUnavailable) as caught:
        reader(answer({}, status=status, retry_after_s=7.0))

    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize("reader", READERS)
def test_a_401_says_that_the_token_is_rejected(reader: Any) -> None:
    with pytest.raises(TokenRejected):
        reader(answer({"code": "UNAUTHORIZED"}, status=401))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("status", [204, 302, 307, 400, 403, 405, 410, 418, 422])
def test_any_other_status_is_a_protocol_error(reader: Any, status: int) -> None:
    with pytest.raises(OffersProtocolError, match=str(status)):
        reader(answer([], status=status))


def test_a_404_on_reading_means_that_the_product_is_not_registered() -> None:
    with pytest.raises(ProductNotRegistered):
        contract.offers(answer({"code": "NOT FOUND", "msg": "?"}, status=404))


@pytest.mark.parametrize("status", [201, 200, 409])
def test_a_registration_counts_even_when_an_earlier_attempt_had_arrived(status: int) -> None:
    contract.check_registered(answer(b"not even JSON", status=status))


def test_other_successes_are_not_taken_for_offers() -> None:
    with pytest.raises(OffersProtocolError):
        contract.offers(answer([], status=201))


# --- Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("7", 7.0), (" 120 ", 120.0), ("9" * 20, 1e20), ("9" * 400, math.inf)]
)
def test_retry_after_is_read_in_seconds(text: str, seconds: float) -> None:
    assert contract.retry_after(text) == seconds


@pytest.mark.parametrize("text", [None, "", "soon", "-1", "1.5", "nan", "²", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_retry_after_that_is_not_a_whole_number_is_ignored(text: str | None) -> None:
    assert contract.retry_after(text) is None


# --- tokens


def test_a_token_of_generation_1_is_permanent() -> None:
    assert access_token(UUID_TEXT, refreshing=False) == AccessToken(UUID_TEXT, None)


def test_a_token_of_generation_1_that_looks_like_a_jwt_is_permanent_too() -> None:
    assert access_token(jwt({"expires": 1}), refreshing=False).expires_at is None


def test_the_expiry_of_generation_2_is_the_claim_expires() -> None:
    token = jwt({"token": UUID_TEXT, "expires": int(NOW.timestamp()) + 123, "exp": 1})

    assert access_token(token).expires_at == NOW + timedelta(seconds=123)


@pytest.mark.parametrize(
    "payload",
    [
        {"token": UUID_TEXT},
        {"exp": 2_000_000_000},
        {"expires": None},
        {"expires": "2026"},
        {"expires": 10**40},
        {"expires": -(10**40)},
        {"expires": float("nan")},
        {"expires": float("inf")},
        {"expires": True},
        ["expires"],
        "expires",
        b"not json",
        b"\xff\xff",
        b"[" * 5_000,
        b"",
    ],
    ids=lambda payload: str(payload)[:30],
)
def test_a_token_without_a_readable_expiry_lasts_five_minutes(payload: Any) -> None:
    assert access_token(jwt(payload)).expires_at == NOW + FIVE_MINUTES


@pytest.mark.parametrize("value", [UUID_TEXT, "a.b", "a.é.c".encode().hex(), "...", "a.!!!.c"])
def test_a_token_that_is_no_jwt_lasts_five_minutes(value: str) -> None:
    assert access_token(value).expires_at == NOW + FIVE_MINUTES


def test_a_token_that_seems_to_have_expired_already_lasts_five_minutes() -> None:
    # It was given this moment, so it is our clock that is ahead of the service's.
    token = jwt({"expires": int(NOW.timestamp()) - 600})

    assert access_token(token).expires_at == NOW + FIVE_MINUTES


@given(payload=json_values)
def test_a_token_never_expires_before_it_is_received(payload: Any) -> None:
    expires_at = access_token(jwt({"expires": payload})).expires_at

    assert expires_at is not None
    assert NOW < expires_at <= datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("value", [None, 12, "", "with space", "line\nbreak", "é", "a" * 8_001, ["a"]])
@pytest.mark.parametrize("refreshing", [True, False])
def test_an_answer_without_a_usable_token_is_malformed(value: Any, *, refreshing: bool) -> None:
    with pytest.raises(OffersProtocolError):
        access_token(value, refreshing=refreshing)


@pytest.mark.parametrize("content", [[], [{"access_token": "a"}], {}, "a", None, b"<html>"])
def test_an_answer_of_another_shape_holds_no_token(content: Any) -> None:
    with pytest.raises(OffersProtocolError):
        contract.access_token(answer(content, status=201), refreshing=True, now=NOW)


def test_a_400_of_generation_2_says_that_another_token_is_valid() -> None:
    with pytest.raises(AnotherTokenIsValid):
        access_token("a", status=400)


def test_a_400_of_generation_1_is_a_protocol_error() -> None:
    with pytest.raises(OffersProtocolError):
        access_token("a", refreshing=False, status=400)


def test_a_401_says_that_the_refresh_token_is_rejected() -> None:
    with pytest.raises(TokenRejected):
        access_token("a", status=401)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_overloaded_service_has_no_token_now(status: int) -> None:
    with pytest.raises(OffersUnavailable):
        access_token("a", status=status)


@pytest.mark.parametrize("status", [302, 403, 404, 422])
def test_another_status_when_asking_for_a_token_is_a_protocol_error(status: int) -> None:
    with pytest.raises(OffersProtocolError):
        access_token("a", status=status)


def test_a_token_is_not_shown_when_it_is_printed() -> None:
    assert "secret" not in repr(AccessToken("secret", NOW))


@pytest.mark.parametrize("status", [200, 201, 401, 500])
def test_an_error_never_quotes_the_answer(status: int) -> None:
    with pytest.raises(OffersServiceError) as caught:
        contract.access_token(
            OffersAnswer(status, b'{"access_token": 1, "x": "secret"}'), refreshing=True, now=NOW
        )

    assert "secret" not in str(caught.value)


# --- digests


def test_answers_of_the_same_bytes_have_one_digest_of_32_characters() -> None:
    digest = contract.digest(answer([listed()]))

    assert digest == contract.digest(answer([listed()]))
    assert digest is not None
    assert len(digest) == 32


def test_answers_that_differ_in_a_price_differ_in_their_digest() -> None:
    assert contract.digest(answer([listed(price=1)])) != contract.digest(answer([listed(price=2)]))


def test_an_answer_without_offers_has_no_digest() -> None:
    assert contract.digest(answer([listed()], status=503)) is None
