"""Generation 2 of the contract, on a real process."""

import base64
import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from simulator.options import DEFAULT_REFRESH_TOKEN
from tests.simulator.conftest import RunningSimulator, Tenant, running_simulator


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(decoded, dict)
    return decoded


def test_the_access_token_is_a_jwt_with_its_expiry(generation2: RunningSimulator) -> None:
    token = generation2.access_token(DEFAULT_REFRESH_TOKEN)

    assert token.count(".") == 2
    assert claims(token).keys() == {"token", "expires"}
    assert UUID(claims(token)["token"])
    assert 0 < claims(token)["expires"] - time.time() <= 300


def test_a_second_token_is_refused_while_the_first_is_valid(tenant2: Tenant) -> None:
    response = tenant2.simulator.call("POST", "/auth", DEFAULT_REFRESH_TOKEN)

    assert response.status_code == 400
    assert response.json() == {"detail": "Cannot generate access token because another is valid"}


def test_a_bad_refresh_token_is_refused(generation2: RunningSimulator) -> None:
    response = generation2.call("POST", "/auth", str(uuid4()))

    assert (response.status_code, response.json()) == (401, {"detail": "Bad refresh token"})


def test_auth_without_the_header_is_invalid(generation2: RunningSimulator) -> None:
    response = generation2.call("POST", "/auth")

    assert response.status_code == 422
    assert response.json() == {
        "detail": [{"loc": ["header", "Bearer"], "msg": "field required", "type": "value_error.missing"}]
    }


def test_products_stay_registered_when_the_access_token_is_renewed(tenant2: Tenant) -> None:
    tenant2.simulator.control("POST", "expire")
    assert tenant2.offers().status_code == 401

    renewed = tenant2.simulator.access_token(DEFAULT_REFRESH_TOKEN)

    assert tenant2.simulator.offers(renewed, tenant2.product).status_code == 200


def test_an_expired_token_is_refused_and_can_be_renewed() -> None:
    with running_simulator("--generation", "2", SIMULATOR_TOKEN_LIFETIME="1") as simulator:
        token = simulator.access_token(DEFAULT_REFRESH_TOKEN)
        while time.time() < claims(token)["expires"]:
            time.sleep(0.05)

        assert simulator.offers(token, uuid4()).json() == {"detail": "Bad access token"}
        assert simulator.access_token(DEFAULT_REFRESH_TOKEN) != token


def test_the_refresh_token_can_be_chosen() -> None:
    chosen = str(uuid4())

    with running_simulator("--generation", "2", "--refresh-token", chosen) as simulator:
        assert simulator.call("POST", "/auth", DEFAULT_REFRESH_TOKEN).status_code == 401
        assert simulator.access_token(chosen)


def test_a_registration_answers_the_id(generation2: RunningSimulator) -> None:
    product = str(uuid4())

    response = generation2.register(generation2.access_token(DEFAULT_REFRESH_TOKEN), product)

    assert (response.status_code, response.json()) == (201, {"id": product})


def test_a_second_registration_is_a_conflict(tenant2: Tenant) -> None:
    response = tenant2.simulator.register(tenant2.token, tenant2.product.upper())

    assert (response.status_code, response.json()) == (409, {"detail": "Product ID already registered"})


@pytest.mark.parametrize("token", [None, "", "a.b.c"])
@pytest.mark.parametrize("call", ["register", "offers"])
def test_a_missing_or_unknown_token_is_refused(
    generation2: RunningSimulator, call: str, token: str | None
) -> None:
    response = getattr(generation2, call)(token, str(uuid4()))

    assert (response.status_code, response.json()) == (401, {"detail": "Bad access token"})


@pytest.mark.parametrize(
    ("body", "locations"),
    [
        (b"", [["body"]]),
        (b"{", [["body", 1]]),
        (b"[]", [["body"]]),
        (b"{}", [["body", "id"], ["body", "name"], ["body", "description"]]),
        (b'{"id": 7, "name": "a", "description": "b"}', [["body", "id"]]),
        (b'{"id": "lamp", "name": "a", "description": null}', [["body", "id"], ["body", "description"]]),
        (b'{"id": "0a6c0b4e-3d8f-4d5a-9c1e-111111111111", "name": 1, "description": ""}', [["body", "name"]]),
    ],
)
def test_a_wrong_registration_names_each_wrong_place(
    tenant2: Tenant, body: bytes, locations: list[list[str | int]]
) -> None:
    response = tenant2.simulator.call("POST", "/products/register", tenant2.token, data=body)

    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == locations
    assert all(error.keys() == {"loc", "msg", "type"} for error in response.json()["detail"])


def test_offers_have_uuids_as_ids(tenant2: Tenant) -> None:
    response = tenant2.offers()

    assert response.status_code == 200
    for offer in response.json():
        assert str(UUID(offer["id"])) == offer["id"]
        assert (type(offer["price"]), type(offer["items_in_stock"])) == (int, int)


def test_offers_of_an_unregistered_product_are_not_found(tenant2: Tenant) -> None:
    response = tenant2.simulator.offers(tenant2.token, uuid4())

    assert (response.status_code, response.json()) == (404, {"detail": "Product does not exist"})


def test_a_product_id_that_is_not_a_uuid_is_invalid(tenant2: Tenant) -> None:
    response = tenant2.simulator.offers(tenant2.token, 7)

    assert response.status_code == 422
    assert response.json()["detail"] == [
        {"loc": ["path", "product_id"], "msg": "value is not a valid uuid", "type": "type_error.uuid"}
    ]


def test_unknown_paths_are_not_found(generation2: RunningSimulator) -> None:
    response = generation2.call("GET", "/products")

    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})
