"""Faults a client sees in a whole answer: refusals, and content made false."""

from typing import Any

import pytest
from requests.exceptions import JSONDecodeError

from tests.simulator.conftest import Customer, RunningSimulator


def struck(customer: Customer, **rule: Any) -> list[dict[str, Any]]:
    """The offers shown under a fault."""
    customer.simulator.set_faults(rule)
    response = customer.offers()
    assert response.status_code == 200
    offers = response.json()
    assert isinstance(offers, list)
    return offers


def test_a_server_error_has_an_html_body(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "status", "status": 502, "retry_after": 7})

    response = customer.offers()

    assert response.status_code == 502
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers["Retry-After"] == "7"
    assert "502 Bad Gateway" in response.text


def test_a_client_error_has_the_shape_of_its_generation(customer1: Customer) -> None:
    customer1.simulator.set_faults({"kind": "status", "status": 403})

    assert customer1.offers().json() == {"code": "FORBIDDEN", "msg": "Forbidden"}


@pytest.mark.parametrize("status", [400, 418, 499, 500, 599])
def test_any_error_status_can_be_had(customer: Customer, status: int) -> None:
    customer.simulator.set_faults({"kind": "status", "status": status})

    assert customer.offers().status_code == status


def test_a_good_token_can_be_refused(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "unauthorized", "times": 1})

    assert customer.offers().status_code == 401
    assert customer.offers().status_code == 200


@pytest.mark.parametrize(("wait", "sent"), [(3, "3"), ("Wed, 21 Oct 2065 07:28:00 GMT",) * 2])
def test_too_many_requests_tell_when_to_come_again(customer: Customer, wait: Any, sent: str) -> None:
    customer.simulator.set_faults({"kind": "too_many", "retry_after": wait})

    response = customer.offers()

    assert (response.status_code, response.headers["Retry-After"]) == (429, sent)


def test_a_redirect_leads_to_another_host_name(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "redirect"})

    response = customer.offers()

    assert response.status_code == 302
    path = f"/api/v1/products/{customer.product}/offers"
    assert response.headers["Location"] == f"http://localhost:{customer.simulator.port}{path}"


def test_a_redirect_leads_where_it_is_told_to(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "redirect", "location": "http://127.0.0.2/elsewhere"})

    assert customer.offers().headers["Location"] == "http://127.0.0.2/elsewhere"


def test_a_registered_product_can_seem_unknown(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "unregistered", "times": 1})

    assert customer.offers().status_code == 404
    assert customer.offers().status_code == 200


@pytest.mark.parametrize("kind", ["invalid_json", "html"])
@pytest.mark.parametrize("call", ["register", "offers"])
def test_a_success_can_be_no_json(customer: Customer, kind: str, call: str) -> None:
    customer.simulator.set_faults({"kind": kind})
    customer.simulator.control("POST", "forget" if call == "register" else "tick")

    response = getattr(customer.simulator, call)(customer.token, customer.product)

    assert response.ok
    with pytest.raises(JSONDecodeError):
        response.json()


def test_an_html_page_says_so(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "html"})

    assert customer.offers().headers["Content-Type"] == "text/html"


def test_a_list_of_offers_can_come_in_an_object(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "wrong_shape"})

    assert isinstance(customer.offers().json(), dict)


@pytest.mark.parametrize(
    ("name", "value"), [("string", "12"), ("float", 12.5), ("bool", True), ("null", None)]
)
def test_a_price_can_be_of_a_wrong_type(customer: Customer, name: str, value: Any) -> None:
    price = struck(customer, kind="wrong_types", **{"as": name})[-1]["price"]

    assert (price, type(price)) == (value, type(value))


@pytest.mark.parametrize(("kind", "value"), [("negative", -1), ("huge", 2**70)])
@pytest.mark.parametrize("field", ["price", "items_in_stock"])
def test_a_number_can_be_out_of_range(customer: Customer, kind: str, field: str, value: int) -> None:
    assert struck(customer, kind=kind, field=field)[-1][field] == value


@pytest.mark.parametrize("field", ["id", "price", "items_in_stock"])
def test_a_field_can_be_missing(customer: Customer, field: str) -> None:
    assert field not in struck(customer, kind="missing_field", field=field)[-1]


def test_only_the_last_offer_is_bad(customer: Customer) -> None:
    true_offers = customer.offers().json()

    assert struck(customer, kind="negative")[:-1] == true_offers[:-1]


def test_two_offers_can_have_one_id(customer: Customer) -> None:
    *_, first, second = struck(customer, kind="duplicate_ids")

    assert first["id"] == second["id"]
    assert first["price"] != second["price"]


def test_the_list_can_be_empty(customer: Customer) -> None:
    assert struck(customer, kind="empty") == []


def test_unknown_fields_and_another_order_leave_the_offers_true(customer: Customer) -> None:
    true_offers = customer.offers().json()

    shown = struck(customer, kind="extra_fields")

    assert [{name: offer[name] for name in true_offers[0]} for offer in shown] == true_offers
    assert list(shown[0]) == ["seller", "items_in_stock", "price", "id", "tags"]


def test_content_faults_leave_errors_alone_and_keep_their_strike(customer: Customer) -> None:
    customer.simulator.set_faults({"kind": "html", "times": 1})

    assert customer.simulator.offers("nobody", customer.product).status_code == 401
    assert customer.offers().headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(("arrives", "registered"), [(True, 1), (False, 0)])
def test_a_refused_registration_may_have_arrived(
    customer: Customer, *, arrives: bool, registered: int
) -> None:
    customer.simulator.control("POST", "forget")
    customer.simulator.set_faults({"kind": "status", "arrives": arrives})

    assert customer.simulator.register(customer.token, customer.product).status_code == 503

    assert customer.simulator.control("GET", "products")["count"] == registered


def test_auth_can_fail_too(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "status", "status": 500, "calls": ["auth"]})

    assert generation1.call("POST", "/auth").status_code == 500
