"""The control endpoints, for tests and demonstrations."""

from typing import Any

import pytest
import requests

from simulator.options import DEFAULT_REFRESH_TOKEN
from tests.simulator.conftest import PATIENCE_S, RunningSimulator, Tenant, running_simulator


def test_a_tick_moves_the_market_for_clients_and_the_control(tenant: Tenant) -> None:
    before, tick = tenant.offers().json(), tenant.simulator.control("GET", "clock")["tick"]

    assert tenant.simulator.control("POST", "tick", {"ticks": 3}) == {"tick": tick + 3}

    assert tenant.offers().json() != before
    record = tenant.simulator.control("GET", f"products/{tenant.product}/offers")
    assert record == {"product": tenant.product, "tick": tick + 3, "offers": tenant.offers().json()}


def test_the_control_shows_the_true_offers_at_any_tick(tenant: Tenant) -> None:
    before, tick = tenant.offers().json(), tenant.simulator.control("GET", "clock")["tick"]
    tenant.simulator.control("POST", "tick", {"ticks": 50})

    record = tenant.simulator.control("GET", f"products/{tenant.product}/offers?tick={tick}")

    assert (record["tick"], record["offers"]) == (tick, before)


def test_prices_can_be_made_fall_and_rise_again(tenant: Tenant) -> None:
    control = tenant.simulator.control
    path, before = f"products/{tenant.product}/offers", tenant.simulator.control("GET", "clock")["tick"]
    fallen = control("POST", "prices", {"percent": 50})
    cheap = tenant.offers().json()
    back = control("POST", "prices", {"percent": 100})

    assert fallen == {"tick": before + 1, "percent": 50}
    formula = control("GET", f"{path}?tick={back['tick']}")["offers"]
    assert tenant.offers().json() == formula
    # The truth of a tick stays what was shown.
    assert control("GET", f"{path}?tick={fallen['tick']}")["offers"] == cheap
    assert min(offer["price"] for offer in cheap) < 0.6 * min(offer["price"] for offer in formula)


@pytest.mark.parametrize("percent", [0, 1_001, "50", None, 1.5])
def test_impossible_levels_of_prices_are_refused(generation1: RunningSimulator, percent: Any) -> None:
    url = f"http://127.0.0.1:{generation1.port}/control/prices"
    response = generation1.http.post(url, json={"percent": percent}, timeout=PATIENCE_S)

    assert response.status_code == 422
    assert "from 1 to 1000" in response.json()["error"]


def test_the_market_moves_with_time_on_demand() -> None:
    with running_simulator("--tick", "0.01") as simulator:
        assert simulator.control("GET", "clock")["tick_seconds"] == 0.01
        first = simulator.control("GET", "clock")["tick"]
        # Ends when the clock moves; if it never does, pytest's timeout ends the test.
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


def test_a_forgotten_product_shows_the_same_offers_once_it_is_registered_again(
    tenant: Tenant,
) -> None:
    before = tenant.offers().json()

    assert tenant.simulator.control("POST", "forget", {"products": [tenant.product]}) == {"forgotten": 1}
    assert tenant.offers().status_code == 404
    assert tenant.simulator.register(tenant.token, tenant.product).status_code == 201

    assert tenant.offers().json() == before


def test_forgetting_leaves_other_products_registered(tenant: Tenant) -> None:
    assert tenant.simulator.control("POST", "forget", {"products": ["other"]}) == {"forgotten": 0}
    assert tenant.offers().status_code == 200


def test_very_many_products_can_be_forgotten_at_once(tenant: Tenant) -> None:
    many = [tenant.product, *(f"{number:036}" for number in range(50_000))]

    assert tenant.simulator.control("POST", "forget", {"products": many}) == {"forgotten": 1}


@pytest.mark.parametrize("content", [{"products": None}, {}, None])
def test_all_registrations_can_be_forgotten(tenant: Tenant, content: Any) -> None:
    tenant.simulator.control("POST", "forget", content)

    assert tenant.simulator.control("GET", "products") == {"count": 0, "products": []}


def test_expired_tokens_are_refused_until_auth_is_called_again(tenant: Tenant) -> None:
    assert tenant.simulator.control("POST", "expire") == {"expired": 1}
    assert tenant.offers().status_code == 401

    assert tenant.simulator.access_token(DEFAULT_REFRESH_TOKEN) != tenant.token


def test_the_registered_products_can_be_listed(tenant: Tenant) -> None:
    assert tenant.simulator.control("GET", "products") == {"count": 1, "products": [tenant.product]}


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "nothing", 404, "There is no /control/nothing."),
        ("DELETE", "clock", 405, "/control/clock does not support DELETE."),
        ("PUT", "log", 405, "/control/log does not support PUT."),
        ("GET", "log?since=x", 422, "since must be a whole number, 0 or more."),
    ],
)
def test_impossible_control_requests_are_answered_with_one_sentence(
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
