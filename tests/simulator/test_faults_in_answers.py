"""Faults in a complete answer: refusals, and wrong content."""

from typing import Any

import pytest
from requests.exceptions import JSONDecodeError

from tests.simulator.conftest import RunningSimulator, Tenant


def offers_under_fault(tenant: Tenant, **rule: Any) -> list[dict[str, Any]]:
    """The offers that a fault shows."""
    tenant.simulator.set_faults(rule)
    response = tenant.offers()
    assert response.status_code == 200
    offers = response.json()
    assert isinstance(offers, list)
    return offers


def test_a_server_error_has_an_html_body(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "status", "status": 502, "retry_after": 7})

    response = tenant.offers()

    assert response.status_code == 502
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers["Retry-After"] == "7"
    assert "502 Bad Gateway" in response.text


def test_a_client_error_has_the_shape_of_its_generation(tenant1: Tenant) -> None:
    tenant1.simulator.set_faults({"kind": "status", "status": 403})

    assert tenant1.offers().json() == {"code": "FORBIDDEN", "msg": "Forbidden"}


@pytest.mark.parametrize("status", [400, 418, 499, 500, 599])
def test_any_error_status_can_be_answered(tenant: Tenant, status: int) -> None:
    tenant.simulator.set_faults({"kind": "status", "status": status})

    assert tenant.offers().status_code == status


def test_a_good_token_can_be_refused(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "unauthorized", "times": 1})

    assert tenant.offers().status_code == 401
    assert tenant.offers().status_code == 200


@pytest.mark.parametrize(("wait", "sent"), [(3, "3"), ("Wed, 21 Oct 2065 07:28:00 GMT",) * 2])
def test_too_many_requests_name_the_time_to_wait(tenant: Tenant, wait: Any, sent: str) -> None:
    tenant.simulator.set_faults({"kind": "too_many", "retry_after": wait})

    response = tenant.offers()

    assert (response.status_code, response.headers["Retry-After"]) == (429, sent)


def test_a_redirect_leads_to_another_host_name(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "redirect"})

    response = tenant.offers()

    assert response.status_code == 302
    path = f"/api/v1/products/{tenant.product}/offers"
    assert response.headers["Location"] == f"http://localhost:{tenant.simulator.port}{path}"


def test_a_redirect_leads_to_the_given_address(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "redirect", "location": "http://127.0.0.2/elsewhere"})

    assert tenant.offers().headers["Location"] == "http://127.0.0.2/elsewhere"


def test_a_registered_product_can_seem_unknown(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "unregistered", "times": 1})

    assert tenant.offers().status_code == 404
    assert tenant.offers().status_code == 200


@pytest.mark.parametrize("kind", ["invalid_json", "html"])
@pytest.mark.parametrize("call", ["register", "offers"])
def test_a_success_can_have_a_body_that_is_not_json(tenant: Tenant, kind: str, call: str) -> None:
    tenant.simulator.set_faults({"kind": kind})
    tenant.simulator.control("POST", "forget" if call == "register" else "tick")

    response = getattr(tenant.simulator, call)(tenant.token, tenant.product)

    assert response.ok
    with pytest.raises(JSONDecodeError):
        response.json()


def test_an_html_page_says_so(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "html"})

    assert tenant.offers().headers["Content-Type"] == "text/html"


def test_a_list_of_offers_can_come_in_an_object(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "wrong_shape"})

    assert isinstance(tenant.offers().json(), dict)


@pytest.mark.parametrize(
    ("name", "value"), [("string", "12"), ("float", 12.5), ("bool", True), ("null", None)]
)
def test_a_price_can_be_of_a_wrong_type(tenant: Tenant, name: str, value: Any) -> None:
    price = offers_under_fault(tenant, kind="wrong_types", **{"as": name})[-1]["price"]

    assert (price, type(price)) == (value, type(value))


@pytest.mark.parametrize(("kind", "value"), [("negative", -1), ("huge", 2**70)])
@pytest.mark.parametrize("field", ["price", "items_in_stock"])
def test_a_number_can_be_out_of_range(tenant: Tenant, kind: str, field: str, value: int) -> None:
    assert offers_under_fault(tenant, kind=kind, field=field)[-1][field] == value


@pytest.mark.parametrize("field", ["id", "price", "items_in_stock"])
def test_a_field_can_be_missing(tenant: Tenant, field: str) -> None:
    assert field not in offers_under_fault(tenant, kind="missing_field", field=field)[-1]


def test_only_the_last_offer_is_bad(tenant: Tenant) -> None:
    true_offers = tenant.offers().json()

    assert offers_under_fault(tenant, kind="negative")[:-1] == true_offers[:-1]


def test_two_offers_can_have_the_same_id(tenant: Tenant) -> None:
    *_, first, second = offers_under_fault(tenant, kind="duplicate_ids")

    assert first["id"] == second["id"]
    assert first["price"] != second["price"]


def test_the_list_can_be_empty(tenant: Tenant) -> None:
    assert offers_under_fault(tenant, kind="empty") == []


def test_unknown_fields_and_another_order_leave_the_offers_true(tenant: Tenant) -> None:
    true_offers = tenant.offers().json()

    shown = offers_under_fault(tenant, kind="extra_fields")

    assert [{name: offer[name] for name in true_offers[0]} for offer in shown] == true_offers
    assert list(shown[0]) == ["seller", "items_in_stock", "price", "id", "tags"]


def test_content_faults_do_not_fire_on_errors(tenant: Tenant) -> None:
    tenant.simulator.set_faults({"kind": "html", "times": 1})

    assert tenant.simulator.offers("nobody", tenant.product).status_code == 401
    assert tenant.offers().headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(("arrives", "registered"), [(True, 1), (False, 0)])
def test_a_refused_registration_may_have_arrived(tenant: Tenant, *, arrives: bool, registered: int) -> None:
    tenant.simulator.control("POST", "forget")
    tenant.simulator.set_faults({"kind": "status", "arrives": arrives})

    assert tenant.simulator.register(tenant.token, tenant.product).status_code == 503

    assert tenant.simulator.control("GET", "products")["count"] == registered


def test_auth_can_fail_too(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "status", "status": 500, "calls": ["auth"]})

    assert generation1.call("POST", "/auth").status_code == 500
