"""ETag, If-None-Match, If-Match: nobody downloads a known state or overwrites an unknown one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from productator.database.web import db
from productator.models import Product
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, offer_url, offers_url, problem
from tests.api.test_concurrency import at_once
from tests.marks import SENDS_NO_SQL
from tests.servers import dispose_of

Json = dict[str, Any]


def url_of(product: Json) -> str:
    return f"{PRODUCTS}/{product['id']}"


def tag(client: FlaskClient, url: str) -> str:
    return client.get(url).headers["ETag"]


@pytest.fixture
def strict_client(database_url: str, sessions: sessionmaker[Session]) -> Iterator[FlaskClient]:
    """A client of a deployment that requires If-Match."""
    app = create_app(factories.settings(database_url=database_url, require_if_match=True))
    yield app.test_client()
    dispose_of(app)


def test_tags_are_strong(client: FlaskClient, product: Json) -> None:
    assert tag(client, url_of(product)).startswith('"')


def test_a_created_product_brings_its_tag(client: FlaskClient) -> None:
    response = client.post(PRODUCTS, json={"name": "Hand mill"})

    assert response.headers["ETag"] == tag(client, response.headers["Location"])


def test_a_created_offer_brings_its_tag(client: FlaskClient, product: Json) -> None:
    response = client.post(offers_url(product), json={"price": 1, "items_in_stock": 1})

    assert response.headers["ETag"] == tag(client, response.headers["Location"])


@pytest.mark.parametrize("path", [PRODUCTS, OFFERS, f"{PRODUCTS}?limit=1"])
def test_an_unchanged_list_is_not_sent_again(client: FlaskClient, offer: Json, path: str) -> None:
    response = client.get(path, headers={"If-None-Match": tag(client, path)})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == tag(client, path)


def test_a_changed_list_has_another_tag(client: FlaskClient, product: Json) -> None:
    before = tag(client, PRODUCTS)
    client.patch(url_of(product), json={"name": "Renamed"})

    assert client.get(PRODUCTS, headers={"If-None-Match": before}).status_code == 200


def test_a_changed_offer_changes_the_tag_of_its_products_offers(
    client: FlaskClient, product: Json, offer: Json
) -> None:
    before = tag(client, offers_url(product))
    client.patch(offer_url(offer), json={"price": 7})

    assert client.get(offers_url(product), headers={"If-None-Match": before}).status_code == 200


def test_an_unchanged_product_is_not_sent_again(client: FlaskClient, product: Json) -> None:
    seen = tag(client, url_of(product))
    response = client.get(url_of(product), headers={"If-None-Match": f'"other", {seen}'})

    assert (response.status_code, response.data, response.headers["ETag"]) == (304, b"", seen)


def test_readers_see_the_end_of_the_registration(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    pending = tag(client, url_of(product))
    with sessions.begin() as session:
        session.get_one(Product, product["id"]).registered_at = factories.NOW

    assert client.get(url_of(product), headers={"If-None-Match": pending}).status_code == 200


def test_the_end_of_the_registration_does_not_block_writers(
    client: FlaskClient, product: Json, registered_product: Json
) -> None:
    response = client.patch(url_of(product), json={"name": "Renamed"}, headers={"If-Match": '"2p"'})

    assert response.status_code == 200, "the fixture's registration is version 2"


CHANGES: list[Callable[[FlaskClient, str, Json], Any]] = [
    lambda client, url, headers: client.put(url, json={"name": "New"}, headers=headers),
    lambda client, url, headers: client.patch(url, json={"name": "New"}, headers=headers),
    lambda client, url, headers: client.delete(url, headers=headers),
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=["put", "patch", "delete"])


@each_change
def test_a_change_of_what_was_seen_is_made(client: FlaskClient, product: Json, change: Any) -> None:
    url = url_of(product)

    assert change(client, url, {"If-Match": tag(client, url)}).status_code in {200, 204}


@each_change
def test_any_version_will_do_for_a_star(client: FlaskClient, product: Json, change: Any) -> None:
    assert change(client, url_of(product), {"If-Match": "*"}).status_code in {200, 204}


@each_change
@pytest.mark.parametrize("given", ['"99"', 'W/"1"', '"x"', '""', "garbage", '"01"'])
def test_a_change_of_something_else_is_refused(
    client: FlaskClient, product: Json, change: Any, given: str
) -> None:
    response = change(client, url_of(product), {"If-Match": given})

    problem(response, 412)
    assert client.get(url_of(product)).get_json() == product


def test_a_refusal_has_the_current_tag(client: FlaskClient, offer: Json) -> None:
    response = client.delete(offer_url(offer), headers={"If-Match": '"99"'})

    assert response.headers["ETag"] == tag(client, offer_url(offer))


@each_change
def test_a_weak_tag_is_named_as_the_reason(client: FlaskClient, product: Json, change: Any) -> None:
    # A proxy that compresses answers weakens their tags.
    response = change(client, url_of(product), {"If-Match": f"W/{tag(client, url_of(product))}"})

    assert problem(response, 412)["type"] == "/problems/weak-tag-sent"
    assert "weak tags never match" in response.get_json()["detail"]
    assert response.headers["ETag"].strip('"') in tag(client, url_of(product))


@each_change
def test_a_strong_tag_beside_a_weak_one_matches(client: FlaskClient, product: Json, change: Any) -> None:
    url = url_of(product)

    assert change(client, url, {"If-Match": f'W/"9", {tag(client, url)}'}).status_code in {200, 204}


@each_change
@pytest.mark.parametrize("given", ["*", "{tag}", "W/{tag}", '"99", {tag}'])
def test_a_change_of_a_version_that_the_writer_excludes_is_refused(
    client: FlaskClient, product: Json, change: Any, given: str
) -> None:
    url = url_of(product)
    response = change(client, url, {"If-None-Match": given.format(tag=tag(client, url))})

    assert problem(response, 412)["type"] == "/problems/version-excluded"
    assert client.get(url).get_json() == product


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_of_an_offer_that_the_writer_excludes_is_refused(
    client: FlaskClient, offer: Json, method: str
) -> None:
    body = {"price": 1, "items_in_stock": 1}
    response = client.open(offer_url(offer), method=method, json=body, headers={"If-None-Match": "*"})

    assert problem(response, 412)["type"] == "/problems/version-excluded"
    assert client.get(offer_url(offer)).get_json() == offer


@each_change
def test_a_change_of_a_version_that_is_not_excluded_is_made(
    client: FlaskClient, product: Json, change: Any
) -> None:
    assert change(client, url_of(product), {"If-None-Match": '"99"'}).status_code in {200, 204}


def test_a_post_ignores_tags(client: FlaskClient) -> None:
    for name in ("If-Match", "If-None-Match"):
        assert client.post(PRODUCTS, json={"name": "Hand mill"}, headers={name: "*"}).status_code == 201


@each_change
def test_an_unknown_product_is_not_found_whatever_was_expected(client: FlaskClient, change: Any) -> None:
    problem(change(client, f"{PRODUCTS}/999999999", {"If-Match": '"1"'}), 404)


@SENDS_NO_SQL
def test_wrong_input_is_reported_before_a_stale_tag(client: FlaskClient, product: Json) -> None:
    problem(client.patch(url_of(product), json={"name": 5}, headers={"If-Match": '"99"'}), 422)


def test_a_seen_tag_is_stale_after_a_change(client: FlaskClient, offer: Json) -> None:
    seen = tag(client, offer_url(offer))
    client.patch(offer_url(offer), json={"price": 7}, headers={"If-Match": seen})

    problem(client.patch(offer_url(offer), json={"price": 8}, headers={"If-Match": seen}), 412)


def test_a_change_of_nothing_leaves_the_tag(client: FlaskClient, offer: Json) -> None:
    seen = tag(client, offer_url(offer))
    response = client.patch(offer_url(offer), json={"price": offer["price"]})

    assert response.headers["ETag"] == seen


@each_change
@SENDS_NO_SQL
def test_a_strict_deployment_requires_a_tag(strict_client: FlaskClient, product: Json, change: Any) -> None:
    problem(change(strict_client, url_of(product), {}), 428)


def test_a_strict_deployment_creates_and_changes(strict_client: FlaskClient) -> None:
    created = strict_client.post(PRODUCTS, json={"name": "Hand mill"})
    seen = {"If-Match": created.headers["ETag"]}

    changed = strict_client.patch(url_of(created.get_json()), json={"name": "New"}, headers=seen)
    assert changed.status_code == 200


def test_of_many_writers_with_tags_none_overwrites_another(app: Flask, offer: Json) -> None:
    def count_up(client: FlaskClient) -> list[Any]:
        seen = client.get(offer_url(offer))
        change = {"price": seen.get_json()["price"] + 1}
        return [client.patch(offer_url(offer), json=change, headers={"If-Match": seen.headers["ETag"]})]

    answers = [answer for _ in range(10) for [answer] in at_once(app, [count_up] * 8)]

    made = sum(answer.status_code == 200 for answer in answers)
    assert {answer.status_code for answer in answers} <= {200, 412}
    assert app.test_client().get(offer_url(offer)).get_json()["price"] == offer["price"] + made


@pytest.mark.parametrize(
    ("table", "method", "body"),
    [
        ("products", "PATCH", {"name": "Toaster"}),
        ("offers", "PATCH", {"price": 1}),
        ("offers", "DELETE", None),
    ],
)
def test_a_row_that_another_node_changed_after_it_was_read_is_read_again(
    client: FlaskClient, offer: Json, table: str, method: str, body: Json | None
) -> None:
    tries: list[str] = []

    def change_first(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith((f"UPDATE {table} ", f"DELETE FROM {table} ")):
            tries.append(statement)
            if len(tries) == 1:
                cursor.execute(f"UPDATE {table} SET version = version + 1")

    with client.application.app_context():
        writing = db.engine
    url = f"/api/v1/products/{offer['product_id']}" if table == "products" else offer_url(offer)
    event.listen(writing, "before_cursor_execute", change_first)
    try:
        status = client.open(url, method=method, json=body).status_code
    finally:
        event.remove(writing, "before_cursor_execute", change_first)

    assert (status, len(tries)) == (204 if method == "DELETE" else 200, 2)
