"""Products through HTTP: created, read, replaced, patched and deleted."""

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, sessionmaker

from productator.models import Offer, Refresh
from tests import factories
from tests.api.checks import PRODUCTS, offer_url, problem

Json = dict[str, Any]


def url(product: Json) -> str:
    return f"{PRODUCTS}/{product['id']}"


def test_a_created_product_is_answered_whole_and_pending(client: FlaskClient) -> None:
    response = client.post(PRODUCTS, json={"name": "Kettle", "description": "1.7 l"})

    assert response.status_code == 201
    body = response.get_json()
    assert body.keys() == {"id", "name", "description", "registration", "created_at", "updated_at"}
    assert (body["name"], body["description"]) == ("Kettle", "1.7 l")
    assert body["registration"] == "pending"
    assert body["created_at"] == body["updated_at"]


def test_the_location_of_a_created_product_leads_to_it(client: FlaskClient) -> None:
    response = client.post(PRODUCTS, json={"name": "Kettle"})

    assert response.headers["Location"] == f"http://localhost{PRODUCTS}/{response.get_json()['id']}"
    assert client.get(response.headers["Location"]).get_json() == response.get_json()


def test_a_product_without_a_description_has_an_empty_one(client: FlaskClient) -> None:
    assert client.post(PRODUCTS, json={"name": "Kettle"}).get_json()["description"] == ""


def test_two_products_may_share_a_name(client: FlaskClient, product: Json) -> None:
    assert factories.posted_product(client, name=product["name"])["id"] != product["id"]


def test_times_are_rfc_3339_in_utc(product: Json) -> None:
    assert product["created_at"].endswith("Z")
    assert datetime.fromisoformat(product["created_at"]).utcoffset() is not None


def test_a_new_product_is_due_at_once(sessions: sessionmaker[Session], product: Json) -> None:
    with sessions() as session:
        refresh = session.get_one(Refresh, product["id"])

    assert refresh.due_at == datetime.fromisoformat(product["created_at"])
    assert (refresh.claim_token, refresh.refreshed_at, refresh.failures) == (None, None, 0)


def test_put_replaces_every_field(client: FlaskClient) -> None:
    product = factories.posted_product(client, name="Kettle", description="1.7 l")

    response = client.put(url(product), json={"name": "Teapot"})

    assert response.status_code == 200
    assert (response.get_json()["name"], response.get_json()["description"]) == ("Teapot", "")
    assert client.get(url(product)).get_json() == response.get_json()


@pytest.mark.parametrize("content_type", ["application/merge-patch+json", "application/json"])
def test_patch_changes_what_it_names(client: FlaskClient, content_type: str) -> None:
    product = factories.posted_product(client, name="Kettle", description="1.7 l")

    response = client.patch(url(product), data='{"name": "Teapot"}', content_type=content_type)

    assert response.status_code == 200
    assert (response.get_json()["name"], response.get_json()["description"]) == ("Teapot", "1.7 l")
    assert client.get(url(product)).get_json() == response.get_json()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_description_of_null_is_none_for_every_method(client: FlaskClient, method: str) -> None:
    path = PRODUCTS if method == "POST" else url(factories.posted_product(client, description="1.7 l"))
    response = client.open(path, method=method, json={"name": "Kettle", "description": None})

    assert response.get_json()["description"] == ""


def test_patch_with_null_removes_the_description(client: FlaskClient) -> None:
    product = factories.posted_product(client, description="1.7 l")

    assert client.patch(url(product), json={"description": None}).get_json()["description"] == ""


def test_a_change_moves_updated_at_alone(client: FlaskClient, product: Json) -> None:
    changed = client.patch(url(product), json={"name": "Teapot"}).get_json()

    assert changed["updated_at"] > product["updated_at"]
    assert changed["created_at"] == product["created_at"]


@pytest.mark.parametrize("patch", [{}, {"name": "Espresso machine"}, {"description": ""}])
def test_a_patch_of_nothing_leaves_the_product_as_it_is(
    client: FlaskClient, product: Json, patch: Json
) -> None:
    response = client.patch(url(product), json=patch)

    assert (response.status_code, response.get_json()) == (200, product)
    assert client.get(url(product)).get_json() == product


def test_a_change_of_case_alone_is_a_change(client: FlaskClient, product: Json) -> None:
    client.patch(url(product), json={"name": product["name"].upper()})

    assert client.get(url(product)).get_json()["name"] == "ESPRESSO MACHINE"


def test_a_deleted_product_is_gone(client: FlaskClient, product: Json) -> None:
    response = client.delete(url(product))

    assert (response.status_code, response.text) == (204, "")
    problem(client.get(url(product)), 404)
    assert client.get(PRODUCTS).get_json()["items"] == []


def test_deleting_a_product_leaves_no_offers_and_no_refresh(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, offer: Json
) -> None:
    factories.external_offer(sessions, product["id"])

    client.delete(url(product))

    problem(client.get(offer_url(offer)), 404)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Offer)) == 0
        assert session.scalar(select(func.count()).select_from(Refresh)) == 0


def test_deleting_a_product_leaves_the_others(
    client: FlaskClient, product: Json, other_product: Json
) -> None:
    kept = factories.posted_offer(client, other_product["id"])

    client.delete(url(product))

    assert client.get(PRODUCTS).get_json()["items"] == [other_product]
    assert client.get(offer_url(kept)).get_json() == kept


def test_the_id_of_a_deleted_product_is_never_given_again(client: FlaskClient, product: Json) -> None:
    client.delete(url(product))

    assert factories.posted_product(client)["id"] > product["id"]


def test_a_registered_product_is_shown_as_such(client: FlaskClient, registered_product: Json) -> None:
    assert client.get(url(registered_product)).get_json()["registration"] == "registered"


def set_refresh(sessions: sessionmaker[Session], product: Json, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(update(Refresh).where(Refresh.product_id == product["id"]).values(values))


def test_the_refresh_of_a_new_product_is_due_and_has_no_past(client: FlaskClient, product: Json) -> None:
    state = client.get(f"{url(product)}/refresh").get_json()

    assert state == {
        "product_id": product["id"],
        "due_at": product["created_at"],
        "refreshed_at": None,
        "failures": 0,
        "last_error": None,
    }


def test_the_refresh_of_a_product_says_why_it_failed_and_when_the_next_try_is(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    error = "The Offers service answered 422 when registering."
    set_refresh(sessions, product, failures=4, last_error=error, due_at=factories.FAR_FUTURE)
    state = client.get(f"{url(product)}/refresh").get_json()

    assert (state["failures"], state["last_error"]) == (4, error)
    assert datetime.fromisoformat(state["due_at"]) == factories.FAR_FUTURE


def test_a_try_changes_the_tag_of_the_refresh_and_not_the_products(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    paths = (url(product), f"{url(product)}/refresh")
    before = [client.get(path).headers["ETag"] for path in paths]
    set_refresh(sessions, product, failures=1)
    statuses = [
        client.get(path, headers={"If-None-Match": tag}).status_code
        for path, tag in zip(paths, before, strict=True)
    ]

    assert statuses == [304, 200]


def test_refresh_makes_a_product_due_now(
    client: FlaskClient, sessions: sessionmaker[Session], refreshed_product: Json
) -> None:
    response = client.post(f"{url(refreshed_product)}/refresh")

    with sessions() as session:
        due_at = session.get_one(Refresh, refreshed_product["id"]).due_at
    assert response.status_code == 202
    assert response.get_json()["product_id"] == refreshed_product["id"]
    assert datetime.fromisoformat(response.get_json()["due_at"]) == due_at


def test_a_refresh_can_be_asked_for_again_and_again_while_one_is_under_way(
    client: FlaskClient, sessions: sessionmaker[Session], refreshed_product: Json
) -> None:
    with sessions.begin() as session:
        session.get_one(Refresh, refreshed_product["id"]).claim_token = "a" * 32
    responses = [client.post(f"{url(refreshed_product)}/refresh") for _ in range(3)]

    with sessions() as session:
        refresh = session.get_one(Refresh, refreshed_product["id"])
    assert [each.status_code for each in responses] == [202] * 3
    assert (refresh.claim_token, refresh.due_at) == ("a" * 32, factories.FAR_FUTURE)
    assert refresh.due_again


def test_refresh_of_one_product_leaves_the_others(
    client: FlaskClient, sessions: sessionmaker[Session], refreshed_product: Json, other_product: Json
) -> None:
    client.post(f"{url(other_product)}/refresh")

    with sessions() as session:
        assert session.get_one(Refresh, refreshed_product["id"]).due_at == factories.FAR_FUTURE


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "/refresh", None),
        ("PUT", "", {"name": "Teapot"}),
        ("PATCH", "", {"name": "Teapot"}),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/refresh", None),
        ("GET", "/offers", None),
        ("POST", "/offers", {"price": 1, "items_in_stock": 1}),
        ("GET", "/offers/1", None),
        ("PUT", "/offers/1", {"price": 1, "items_in_stock": 1}),
        ("PATCH", "/offers/1", {"price": 1}),
        ("DELETE", "/offers/1", None),
    ],
)
def test_nothing_can_be_done_with_an_unknown_product(
    client: FlaskClient, product: Json, method: str, path: str, body: Json | None
) -> None:
    unknown = product["id"] + 1

    response = client.open(f"{PRODUCTS}/{unknown}{path}", method=method, json=body)

    assert str(unknown) in problem(response, 404)["detail"]
    assert client.get(PRODUCTS).get_json()["items"] == [product]


def test_deleting_twice_answers_404(client: FlaskClient, product: Json) -> None:
    client.delete(url(product))

    problem(client.delete(url(product)), 404)


def test_the_largest_id_is_merely_unknown(client: FlaskClient) -> None:
    problem(client.get(f"{PRODUCTS}/{2**63 - 1}"), 404)
