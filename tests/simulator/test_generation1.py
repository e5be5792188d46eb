"""Generation 1 of the contract, on a real process."""

from typing import Any
from uuid import UUID

import pytest

from tests.simulator.conftest import RunningSimulator, Tenant


def test_auth_gives_a_uuid_and_needs_nothing(generation1: RunningSimulator) -> None:
    response = generation1.call("POST", "/auth")

    assert response.status_code == 201
    assert list(response.json()) == ["access_token"]
    assert UUID(response.json()["access_token"])


def test_each_auth_makes_an_identity_that_does_not_see_the_products_of_others(
    tenant1: Tenant,
) -> None:
    stranger = tenant1.simulator.access_token()

    assert tenant1.simulator.offers(stranger, tenant1.product).status_code == 404
    assert tenant1.offers().status_code == 200


@pytest.mark.parametrize("product", [7, "lamp-7", "0a6c0b4e-3d8f-4d5a-9c1e-111111111111", "straße 1/2"])
def test_the_caller_chooses_the_product_id(generation1: RunningSimulator, product: Any) -> None:
    token = generation1.access_token()

    response = generation1.register(token, product)

    assert (response.status_code, response.json()) == (201, {"id": product})
    quoted = str(product).replace("/", "%2F")
    assert generation1.offers(token, quoted).status_code == 200


def test_a_second_registration_is_accepted(tenant1: Tenant) -> None:
    assert tenant1.simulator.register(tenant1.token, tenant1.product).status_code == 201


def test_offers_have_integer_ids_prices_and_stock(tenant1: Tenant) -> None:
    response = tenant1.offers()

    assert response.headers["Content-Type"] == "application/json"
    for offer in response.json():
        assert {name: type(value) for name, value in offer.items()} == dict.fromkeys(
            ("id", "price", "items_in_stock"), int
        )


@pytest.mark.parametrize("token", [None, "", "5f0b3a52-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("call", ["register", "offers"])
def test_a_missing_or_unknown_token_is_refused(
    generation1: RunningSimulator, call: str, token: str | None
) -> None:
    response = getattr(generation1, call)(token, "lamp")

    assert response.status_code == 401
    assert response.json().keys() == {"code", "msg"}
    assert response.json()["code"] == "UNAUTHORIZED"


def test_the_authorization_header_does_not_count(tenant1: Tenant) -> None:
    response = tenant1.offers(headers={"Authorization": f"Bearer {tenant1.token}"})

    assert response.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"name": "a", "description": "b"}',
        b'{"id": null, "name": "a", "description": "b"}',
        b'{"id": true, "name": "a", "description": "b"}',
        b'{"id": "", "name": "a", "description": "b"}',
        b'{"id": 1, "description": "b"}',
        b'{"id": 1, "name": "a", "description": 3}',
    ],
)
def test_a_wrong_registration_is_a_bad_request(generation1: RunningSimulator, body: bytes) -> None:
    response = generation1.call("POST", "/products/register", generation1.access_token(), data=body)

    assert response.status_code == 400
    assert response.json()["code"] == "BAD_REQUEST"
    assert response.json()["msg"]


def test_offers_of_an_unregistered_product_are_not_found(generation1: RunningSimulator) -> None:
    response = generation1.offers(generation1.access_token(), "lamp")

    assert response.status_code == 404
    assert response.json() == {"code": "NOT FOUND", "msg": "Product does not exist"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/auth", 405),
        ("POST", "/products/1/offers", 405),
        ("GET", "/products", 404),
        ("GET", "/", 404),
    ],
)
def test_other_paths_and_methods_are_refused_in_the_same_shape(
    generation1: RunningSimulator, method: str, path: str, status: int
) -> None:
    response = generation1.call(method, path)

    assert response.status_code == status
    assert response.json().keys() == {"code", "msg"}
