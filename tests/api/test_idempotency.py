"""Idempotency-Key: a POST that is sent again has one effect, and gets the first answer."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from lab import databases
from productator import idempotency
from productator.database.transactions import run_transaction
from productator.domain import utc_now
from productator.models import IdempotencyKey, Product
from tests import servers
from tests.api.checks import PRODUCTS, items, offers_url, problem
from tests.api.test_concurrency import at_once
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]
KEY = {"Idempotency-Key": '"order-1"'}
MILL = {"name": "Hand mill"}


def post(client: FlaskClient, key: str = '"order-1"', **body: Any) -> TestResponse:
    return client.post(PRODUCTS, json=MILL | body, headers={"Idempotency-Key": key})


def test_the_same_request_gets_the_same_answer(client: FlaskClient) -> None:
    first, second = post(client), post(client)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_json() == second.get_json()
    assert [first.headers[name] for name in ("ETag", "Location", "Content-Type")] == [
        second.headers[name] for name in ("ETag", "Location", "Content-Type")
    ]


def test_it_has_its_effect_once(client: FlaskClient) -> None:
    post(client)
    post(client)

    assert len(items(client, PRODUCTS)) == 1


def test_only_the_replay_says_that_it_is_one(client: FlaskClient) -> None:
    first, second = post(client), post(client)

    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_a_replay_has_the_state_of_the_first_answer(client: FlaskClient) -> None:
    first = post(client)
    client.patch(first.headers["Location"], json={"name": "Renamed"})

    assert post(client).get_json() == first.get_json()


def test_another_key_is_another_request(client: FlaskClient) -> None:
    assert post(client, '"a"').get_json()["id"] != post(client, '"b"').get_json()["id"]


def test_without_a_key_each_request_counts(client: FlaskClient) -> None:
    client.post(PRODUCTS, json=MILL)
    client.post(PRODUCTS, json=MILL)

    assert len(items(client, PRODUCTS)) == 2


def test_a_key_does_not_serve_another_request(client: FlaskClient) -> None:
    post(client)

    assert problem(post(client, name="Another"), 422)["type"] == "/problems/key-reused"


def test_the_order_of_fields_makes_no_other_request(client: FlaskClient) -> None:
    first = client.post(
        PRODUCTS, data='{"name":"a","description":"b"}', headers=KEY, content_type="application/json"
    )
    second = client.post(
        PRODUCTS, data='{ "description": "b", "name": "a" }', headers=KEY, content_type="application/json"
    )

    assert first.get_json() == second.get_json()


def test_a_key_counts_for_one_path(client: FlaskClient, product: Json, other_product: Json) -> None:
    offer = {"price": 1, "items_in_stock": 1}
    first, second = (
        client.post(offers_url(each), json=offer, headers=KEY) for each in (product, other_product)
    )

    assert first.get_json()["product_id"] != second.get_json()["product_id"]


def test_asking_for_a_refresh_can_be_repeated(client: FlaskClient, product: Json) -> None:
    first, second = (client.post(f"{PRODUCTS}/{product['id']}/refresh", headers=KEY) for _ in range(2))

    assert (first.status_code, first.get_json()) == (second.status_code, second.get_json())
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("body", [b"not JSON", b"\xff", b"[" * 100_000])
def test_a_body_that_nobody_reads_does_no_harm(client: FlaskClient, product: Json, body: bytes) -> None:
    url = f"{PRODUCTS}/{product['id']}/refresh"

    assert [client.post(url, data=body, headers=KEY).status_code for _ in range(2)] == [202, 202]


@pytest.mark.parametrize("key", ["", '""', "a b", '"a', 'a"', "é", "a" * 256, '"\\a"', '"a", "b"'])
@SENDS_NO_SQL
def test_a_malformed_key_is_refused(client: FlaskClient, key: str) -> None:
    problem(post(client, key), 400)


@pytest.mark.parametrize("key", ["bare-key_1", '"quoted with spaces"', '"\\"quotes\\""', "a" * 255, "a,b"])
def test_a_key_may_be_quoted_or_bare(client: FlaskClient, key: str) -> None:
    assert [post(client, key).status_code for _ in range(2)] == [201, 201]


def test_a_bare_key_is_the_quoted_one(client: FlaskClient) -> None:
    assert post(client, "order-1").get_json() == post(client, '"order-1"').get_json()


def test_blanks_around_a_key_are_no_part_of_it(client: FlaskClient) -> None:
    assert post(client, ' "order-1"\t').get_json() == post(client).get_json()


def test_a_refused_request_may_be_fixed_and_sent_with_its_key(client: FlaskClient) -> None:
    problem(post(client, name=5), 422)

    assert post(client).status_code == 201


def test_a_failed_request_may_be_sent_again_with_its_key(client: FlaskClient) -> None:
    offer = {"price": 1, "items_in_stock": 1}
    problem(client.post(f"{PRODUCTS}/999999999/offers", json=offer, headers=KEY), 404)

    problem(client.post(f"{PRODUCTS}/999999999/offers", json=offer, headers=KEY), 404)


def test_a_key_expires_after_a_day(client: FlaskClient, sessions: sessionmaker[Session]) -> None:
    first = post(client)
    with sessions.begin() as session:
        session.execute(update(IdempotencyKey).values(created_at=utc_now() - timedelta(hours=24, seconds=1)))

    assert post(client, name="Another").get_json()["id"] != first.get_json()["id"]


def test_expired_keys_are_deleted_a_few_at_a_time(
    client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    for number in range(5):
        post(client, f'"{number}"')
    later = utc_now() + timedelta(hours=25)

    deleted = [
        run_transaction(sessions, lambda session: idempotency.prune(session, now=later, most=2))
        for _ in range(4)
    ]

    assert deleted == [2, 2, 1, 0]


def test_valid_keys_are_not_deleted(client: FlaskClient, sessions: sessionmaker[Session]) -> None:
    post(client)

    assert run_transaction(sessions, lambda session: idempotency.prune(session, now=utc_now(), most=9)) == 0


def test_of_concurrent_duplicates_one_has_the_effect(app: Flask, sessions: sessionmaker[Session]) -> None:
    keys = [f'"{number}"' for number in range(10)]

    answers = at_once(app, [lambda client: [post(client, key) for key in keys]] * 8)

    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Product)) == len(keys)
    assert {answer.status_code for each in answers for answer in each} == {201}
    assert len({answer.text for each in answers for answer in each}) == len(keys)


@pytest.mark.parametrize("server", ["mariadb", "mysql"], indirect=True)
def test_a_first_request_that_is_not_finished_is_a_conflict(
    client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    post(client)
    with sessions.begin() as session:
        kept = session.execute(select(IdempotencyKey.__table__)).one()._asdict()
    with sessions.begin() as session:
        session.execute(delete(IdempotencyKey))
    with sessions() as unfinished:
        unfinished.execute(insert(IdempotencyKey).values(kept))
        response = post(client)

    problem(response, 409)
    assert int(response.headers["Retry-After"]) > 0


@pytest.fixture
def client_of_a_small_packet() -> Iterator[FlaskClient]:
    """A client of an application on a MariaDB that takes no statement of more than one MiB."""
    with ExitStack() as running:
        with servers.skipped_if_missing():
            url = running.enter_context(databases.mariadb_url("--max-allowed-packet=1M"))
        made = databases.Server(url)
        database = servers.MigratedDatabase(made.new)
        yield database.app.test_client()
        database.close()
        made.drop_all()


def batch(client: FlaskClient, description: str, key: str) -> TestResponse:
    body = {"items": 100 * [{"name": "Mill", "description": description}]}
    return client.post(f"{PRODUCTS}/batch", json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("text", ['"', "\n", "x", "ž", "🙂"])
def test_a_batch_of_long_products_fits_a_small_packet(
    client_of_a_small_packet: FlaskClient, text: str
) -> None:
    description = (9_000 // len(json.dumps(text))) * text

    first, second = (batch(client_of_a_small_packet, description, "key-1") for _ in range(2))

    assert (first.status_code, second.status_code) == (207, 207)
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_long_answer_is_replayed_whole(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    body_length = len(post(client, key="another").get_data(as_text=True))
    monkeypatch.setattr(idempotency, "PIECE_LENGTH", body_length // 2 + over)

    first, second = post(client), post(client)

    assert first.get_data() == second.get_data()
    assert second.headers["Idempotency-Replayed"] == "true"


def test_an_answer_that_is_half_pruned_is_not_replayed(
    client: FlaskClient, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PIECE_LENGTH", 20)
    post(client)
    with sessions.begin() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.fingerprint == ""))

    assert problem(post(client), 409)["type"] == "/problems/key-in-use"
