"""POST /api/v1/products/batch: many products in one request, each created or refused on its own."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from productator.catalogue import products
from productator.models import IdempotencyKey, Product, Refresh
from tests import factories
from tests.api.checks import PRODUCTS, failure, items, problem, wrong_fields
from tests.api.test_concurrency import at_once, statuses
from tests.marks import SENDS_NO_SQL
from tests.refresher.rows import inserts_so_far

Json = dict[str, Any]
BATCH = f"{PRODUCTS}/batch"
KEY = {"Idempotency-Key": "order-1"}
MIB = 2**20


def post(client: FlaskClient, *batch: object, headers: Json | None = None) -> TestResponse:
    return client.post(BATCH, json={"items": batch}, headers=headers)


def named(*names: str) -> list[Json]:
    return [{"name": name} for name in names]


def test_every_item_becomes_a_product(client: FlaskClient) -> None:
    response = post(client, {"name": "Kettle", "description": "1.7 l"}, {"name": "Teapot"})

    body = response.get_json()
    assert (response.status_code, body["created"], body["failed"]) == (207, 2, 0)
    assert [item["status"] for item in body["items"]] == [201, 201]
    assert [item["product"] for item in body["items"]] == items(client, PRODUCTS)
    assert [item["name"] for item in items(client, PRODUCTS)] == ["Kettle", "Teapot"]
    assert items(client, PRODUCTS)[0]["description"] == "1.7 l"


def test_a_product_of_a_batch_is_like_one_that_was_created_alone(client: FlaskClient) -> None:
    (item,) = post(client, {"name": "Kettle"}).get_json()["items"]

    read = client.get(item["location"])

    assert (read.get_json(), read.headers["ETag"]) == (item["product"], item["etag"])
    assert read.get_json()["registration"] == "pending"
    assert client.patch(item["location"], json={"name": "x"}, headers={"If-Match": item["etag"]}).get_json()


def test_its_products_are_due_at_once(client: FlaskClient, sessions: sessionmaker[Session]) -> None:
    post(client, *named("Kettle", "Teapot"))

    with sessions() as session:
        due = session.execute(
            select(Product.created_at, Refresh.due_at).join(Refresh, Refresh.product_id == Product.id)
        ).all()
    assert len(due) == 2
    assert all(row.due_at == row.created_at for row in due)


def test_invalid_items_do_not_keep_the_others_from_being_created(client: FlaskClient) -> None:
    response = post(client, {"name": "Kettle"}, {"name": " "}, {"name": "Teapot"})

    assert (response.get_json()["created"], response.get_json()["failed"]) == (2, 1)
    assert [item["status"] for item in response.get_json()["items"]] == [201, 422, 201]
    assert [item["name"] for item in items(client, PRODUCTS)] == ["Kettle", "Teapot"]


@pytest.mark.parametrize(
    ("item", "pointers"),
    [
        ({}, ["/items/1/name"]),
        (
            {"name": "", "description": 7, "a/b": 1},
            ["/items/1/name", "/items/1/description", "/items/1/a~1b"],
        ),
        ({"name": "x" * 451}, ["/items/1/name"]),
        ({"name": "Ket\0tle"}, ["/items/1/name"]),
        ({"name": 7}, ["/items/1/name"]),
        (None, ["/items/1"]),
        ([], ["/items/1"]),
        ("Kettle", ["/items/1"]),
    ],
)
def test_the_problem_of_an_item_points_into_the_body(
    client: FlaskClient, item: object, pointers: list[str]
) -> None:
    answer = post(client, {"name": "Kettle"}, item).get_json()["items"][1]

    assert answer.keys() == {"status", "problem"}
    assert [error["pointer"] for error in answer["problem"]["errors"]] == pointers
    assert answer["problem"]["status"] == answer["status"] == 422
    assert answer["problem"].keys() == {"type", "title", "status", "detail", "errors"}


def test_a_batch_of_invalid_items_creates_nothing(client: FlaskClient) -> None:
    response = post(client, {"name": ""}, {})

    body = response.get_json()
    assert (response.status_code, body["created"], body["failed"]) == (207, 0, 2)
    assert items(client, PRODUCTS) == []


def test_an_item_with_very_many_unknown_fields_has_a_short_answer(client: FlaskClient) -> None:
    (answer,) = post(client, {str(number): 1 for number in range(50_000)}).get_json()["items"]

    assert len(answer["problem"]["errors"]) == 20


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"items": []}, "/items"),
        ({"items": named("Kettle") * 1_001}, "/items"),
        ({"items": {"name": "Kettle"}}, "/items"),
        ({}, "/items"),
        ({"items": named("Kettle"), "atomic": True}, "/atomic"),
        (named("Kettle"), ""),
    ],
)
def test_a_body_that_is_not_a_batch_is_refused_as_a_whole(
    client: FlaskClient, body: object, pointer: str
) -> None:
    assert wrong_fields(client.post(BATCH, json=body)) == {pointer}
    assert items(client, PRODUCTS) == []


def test_a_thousand_products_of_ordinary_texts_fit(client: FlaskClient) -> None:
    longest = {"name": "n" * 450, "description": "d" * 450}

    response = post(client, *[longest] * 1_000)

    assert response.get_json()["created"] == 1_000
    assert len({item["product"]["id"] for item in response.get_json()["items"]}) == 1_000


@SENDS_NO_SQL
def test_a_body_over_the_limit_of_all_routes_is_refused(client: FlaskClient) -> None:
    body = json.dumps({"items": [{"name": "Kettle", "description": "x" * 10_000}] * 110})

    problem(client.post(BATCH, data=body, content_type="application/json"), 413)
    assert len(body) > MIB


def test_a_batch_sent_again_with_its_key_creates_nothing_more(client: FlaskClient) -> None:
    first, second = (post(client, *named("Kettle", " ", "Teapot"), headers=KEY) for _ in range(2))

    assert (second.status_code, second.get_json()) == (207, first.get_json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(items(client, PRODUCTS)) == 2


def test_the_longest_answer_can_be_stored(client: FlaskClient) -> None:
    # A slash takes two characters of a pointer.
    unknown = {f"{number:02}{'/' * 38}": 1 for number in range(20)}

    first, second = (post(client, *[unknown] * 1_000, headers=KEY) for _ in range(2))

    assert (first.status_code, second.status_code) == (207, 207)
    assert second.get_json() == first.get_json()


def test_what_a_key_keeps_is_bounded_whatever_the_host(
    client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    # A host of 24 KB made 24.6 MB out of 15 KB.
    for labels in (12_000, 131):
        refused = post(client, *named("Kettle") * 1_000, headers=KEY | {"Host": "h." * labels})
        assert "Host" in problem(refused, 400)["detail"]

    longest = ".".join(["h" * 62] * 4) + ":65535"
    kept = post(client, *named("Kettle") * 1_000, headers=KEY | {"Host": longest})

    assert kept.status_code == 207, kept.text
    with sessions() as session:
        assert session.scalars(select(func.sum(func.length(IdempotencyKey.body)))).one() < MIB


def test_a_batch_without_a_key_creates_again(client: FlaskClient) -> None:
    post(client, *named("Kettle"))
    post(client, *named("Kettle"))

    assert len(items(client, PRODUCTS)) == 2


def test_of_concurrent_duplicates_one_has_the_effect(app: Flask, client: FlaskClient) -> None:
    batch = named(*(str(number) for number in range(100)))

    answers = at_once(app, [lambda client: [post(client, *batch, headers=KEY)]] * 6)

    assert statuses(answers) == {207}
    assert len({answer.text for (answer,) in answers}) == 1
    assert len(items(client, PRODUCTS)) == 100


def test_a_batch_that_the_database_rolls_back_creates_nothing(
    client: FlaskClient, failures: list[Exception]
) -> None:
    failures += [failure(1213)] * 20

    problem(post(client, *named("Kettle", "Teapot"), headers=KEY), 503)
    failures.clear()

    assert items(client, PRODUCTS) == []
    assert post(client, *named("Kettle", "Teapot"), headers=KEY).get_json()["created"] == 2


def test_a_batch_that_is_run_again_creates_its_products_once(
    client: FlaskClient, failures: list[Exception]
) -> None:
    failures += [failure(1213)] * 2

    created = post(client, *named("Kettle", "Teapot")).get_json()["items"]

    assert [item["product"] for item in created] == items(client, PRODUCTS)


def create(sessions: sessionmaker[Session], count: int) -> None:
    new = [factories.new_product(name=str(number)) for number in range(count)]
    with sessions.begin() as session:
        products.create_many(session, new, now=factories.NOW)


def test_the_statements_do_not_grow_with_the_products(
    sessions: sessionmaker[Session], statements: list[str]
) -> None:
    create(sessions, 1)
    for_one = len(statements)

    create(sessions, 1_000)

    assert len(statements) == 2 * for_one


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_the_rows_of_a_table_travel_in_one_insert(engine: Engine, sessions: sessionmaker[Session]) -> None:
    new = [factories.new_product(name=str(number)) for number in range(1_000)]
    with sessions.begin() as session:
        before = inserts_so_far(session)
        products.create_many(session, new, now=factories.NOW)

        assert inserts_so_far(session) - before == 2
        assert session.scalar(select(func.count()).select_from(Refresh)) == 1_000
