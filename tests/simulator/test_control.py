"""What tests and demonstrations can ask of the simulator beside the contract."""

from typing import Any

import pytest
import requests

from simulator.options import DEFAULT_REFRESH_TOKEN
from tests.simulator.conftest import PATIENCE_S, Customer, RunningSimulator, running_simulator


def test_a_tick_moves_the_market_for_clients_and_record_alike(customer: Customer) -> None:
    before, tick = customer.offers().json(), customer.simulator.control("GET", "clock")["tick"]

    assert customer.simulator.control("POST", "tick", {"ticks": 3}) == {"tick": tick + 3}

    assert customer.offers().json() != before
    record = customer.simulator.control("GET", f"products/{customer.product}/offers")
    assert record == {"product": customer.product, "tick": tick + 3, "offers": customer.offers().json()}


def test_the_record_tells_what_was_true_at_any_tick(customer: Customer) -> None:
    before, tick = customer.offers().json(), customer.simulator.control("GET", "clock")["tick"]
    customer.simulator.control("POST", "tick", {"ticks": 50})

    record = customer.simulator.control("GET", f"products/{customer.product}/offers?tick={tick}")

    assert (record["tick"], record["offers"]) == (tick, before)


def test_the_market_moves_by_itself_when_told_to() -> None:
    with running_simulator("--tick", "0.01") as simulator:
        assert simulator.control("GET", "clock")["tick_seconds"] == 0.01
        first = simulator.control("GET", "clock")["tick"]
        # Ends by itself as soon as the clock moved; a clock that stands still runs into pytest's limit.
        while simulator.control("GET", "clock")["tick"] == first:
            pass


def test_two_processes_with_one_seed_show_one_market_in_any_order_of_registration() -> None:
    shown: list[dict[str, Any]] = []
    for order in (["lamp", "chair"], ["chair", "lamp"]):
        with running_simulator("--seed", "7") as simulator:
            token = simulator.access_token()
            for product in order:
                simulator.register(token, product)
            shown.append({product: simulator.offers(token, product).json() for product in ("lamp", "chair")})

    assert shown[0] == shown[1]


def test_a_forgotten_product_shows_the_same_offers_once_it_is_registered_again(customer: Customer) -> None:
    before = customer.offers().json()

    assert customer.simulator.control("POST", "forget", {"products": [customer.product]}) == {"forgotten": 1}
    assert customer.offers().status_code == 404
    assert customer.simulator.register(customer.token, customer.product).status_code == 201

    assert customer.offers().json() == before


def test_forgetting_leaves_other_products_registered(customer: Customer) -> None:
    assert customer.simulator.control("POST", "forget", {"products": ["other"]}) == {"forgotten": 0}
    assert customer.offers().status_code == 200


def test_very_many_products_can_be_forgotten_at_once(customer: Customer) -> None:
    many = [customer.product, *(f"{number:036}" for number in range(50_000))]

    assert customer.simulator.control("POST", "forget", {"products": many}) == {"forgotten": 1}


@pytest.mark.parametrize("content", [{"products": None}, {}, None])
def test_all_registrations_can_be_forgotten(customer: Customer, content: Any) -> None:
    customer.simulator.control("POST", "forget", content)

    assert customer.simulator.control("GET", "products") == {"count": 0, "products": []}


def test_expiring_refuses_tokens_until_auth_is_asked_again(customer: Customer) -> None:
    assert customer.simulator.control("POST", "expire") == {"expired": 1}
    assert customer.offers().status_code == 401

    assert customer.simulator.access_token(DEFAULT_REFRESH_TOKEN) != customer.token


def test_the_registered_products_can_be_listed(customer: Customer) -> None:
    assert customer.simulator.control("GET", "products") == {"count": 1, "products": [customer.product]}


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "nothing", 404, "There is no /control/nothing."),
        ("DELETE", "clock", 405, "DELETE is not for /control/clock."),
        ("PUT", "log", 405, "PUT is not for /control/log."),
        ("GET", "log?since=x", 422, "since must be a whole number, 0 or more."),
    ],
)
def test_impossible_wishes_are_answered_in_a_sentence(
    generation1: RunningSimulator, method: str, path: str, status: int, sentence: str
) -> None:
    url = f"http://127.0.0.1:{generation1.port}/control/{path}"

    response = requests.request(method, url, timeout=PATIENCE_S)

    assert (response.status_code, response.json()) == (status, {"error": sentence})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tick", '{"ticks": -1}'),
        ("tick", '{"ticks": true}'),
        ("tick", "[]"),
        ("tick", "{"),
        ("forget", '{"products": 1}'),
    ],
)
def test_impossible_bodies_are_refused(generation1: RunningSimulator, path: str, body: str) -> None:
    url = f"http://127.0.0.1:{generation1.port}/control/{path}"

    response = requests.post(url, data=body, timeout=PATIENCE_S)

    assert response.status_code == 422
    assert response.json()["error"].endswith(".")
