"""Many callers at once: acknowledged changes are kept, and no answer reports a deadlock."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from productator.models import Offer, Product, Refresh
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, items, offer_url, offers_url

Json = dict[str, Any]
Caller = Callable[[FlaskClient], list[TestResponse]]


def at_once(app: Flask, callers: Sequence[Caller]) -> list[list[TestResponse]]:
    """Lets every caller, each with a client and a thread of its own, begin at the same moment."""
    start = Barrier(len(callers))

    def run(caller: Caller) -> list[TestResponse]:
        client = app.test_client()
        start.wait()
        return caller(client)

    with ThreadPoolExecutor(len(callers)) as threads:
        return list(threads.map(run, callers))


def statuses(answers: list[list[TestResponse]]) -> set[int]:
    return {response.status_code for responses in answers for response in responses}


def patches(url: str, field: str, values: Sequence[object]) -> Caller:
    return lambda client: [client.patch(url, json={field: value}) for value in values]


def test_changes_of_different_fields_do_not_undo_each_other(app: Flask, product: Json) -> None:
    url = f"{PRODUCTS}/{product['id']}"
    turns = [[f"{caller}-{turn}" for turn in range(10)] for caller in range(4)]
    names = [patches(url, "name", values) for values in turns]
    texts = [patches(url, "description", values) for values in turns]

    answers = at_once(app, names + texts)

    kept = app.test_client().get(url).get_json()
    assert statuses(answers) == {200}
    assert kept["name"] in {values[-1] for values in turns}
    assert kept["description"] in {values[-1] for values in turns}


def test_a_caller_sees_its_own_field_in_every_answer(app: Flask, offer: Json) -> None:
    prices = patches(offer_url(offer), "price", range(200, 230))
    stocks = patches(offer_url(offer), "items_in_stock", range(300, 330))

    of_prices, of_stocks = at_once(app, [prices, stocks])

    assert [response.get_json()["price"] for response in of_prices] == list(range(200, 230))
    assert [response.get_json()["items_in_stock"] for response in of_stocks] == list(range(300, 330))


def test_every_acknowledged_change_counts_one_version(
    app: Flask, sessions: sessionmaker[Session], product: Json
) -> None:
    url = f"{PRODUCTS}/{product['id']}"
    callers = [patches(url, "name", [f"name {caller}-{turn}" for turn in range(10)]) for caller in range(8)]

    answers = at_once(app, callers)

    with sessions() as session:
        assert statuses(answers) == {200}
        assert session.get_one(Product, product["id"]).version == 1 + 80


def test_changes_of_offers_do_not_disturb_each_other(app: Flask, client: FlaskClient, product: Json) -> None:
    offers = [factories.posted_offer(client, product["id"]) for _ in range(10)]

    answers = at_once(app, [patches(offer_url(each), "price", range(1, 11)) for each in offers])

    assert statuses(answers) == {200}
    assert [offer["price"] for offer in client.get(offers_url(product)).get_json()["items"]] == [10] * 10


def test_products_created_at_once_are_all_there(app: Flask, client: FlaskClient) -> None:
    def create(client: FlaskClient) -> list[TestResponse]:
        return [client.post(PRODUCTS, json={"name": "Kettle"}) for _ in range(5)]

    answers = at_once(app, [create] * 8)

    created = [response.get_json() for responses in answers for response in responses]
    assert statuses(answers) == {201}
    assert sorted(created, key=lambda product: product["id"]) == items(client, PRODUCTS)


def test_deleting_products_while_offers_are_added_leaves_no_orphans(
    app: Flask, client: FlaskClient, sessions: sessionmaker[Session]
) -> None:
    products = [factories.posted_product(client) for _ in range(8)]

    def add(client: FlaskClient) -> list[TestResponse]:
        return [client.post(offers_url(each), json={"price": 1, "items_in_stock": 1}) for each in products]

    def delete(client: FlaskClient) -> list[TestResponse]:
        return [client.delete(f"{PRODUCTS}/{each['id']}") for each in products]

    answers = at_once(app, [add, add, add, add, delete, delete, add, add])

    assert statuses(answers) <= {201, 204, 404}
    assert client.get(OFFERS).get_json()["items"] == client.get(PRODUCTS).get_json()["items"] == []
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Offer)) == 0
        assert session.scalar(select(func.count()).select_from(Refresh)) == 0


def test_a_product_is_deleted_by_just_one(app: Flask, product: Json) -> None:
    answers = at_once(app, [lambda client: [client.delete(f"{PRODUCTS}/{product['id']}")]] * 8)

    assert sorted(response.status_code for [response] in answers) == [204] + [404] * 7


def test_an_offer_deleted_while_it_is_changed_stays_deleted(app: Flask, offer: Json) -> None:
    def delete(client: FlaskClient) -> list[TestResponse]:
        return [client.delete(offer_url(offer))]

    answers = at_once(app, [patches(offer_url(offer), "price", range(10))] * 6 + [delete])

    assert statuses(answers) <= {200, 204, 404}
    assert app.test_client().get(offer_url(offer)).status_code == 404


def test_refreshes_asked_for_at_once_are_all_accepted(app: Flask, product: Json) -> None:
    def ask(client: FlaskClient) -> list[TestResponse]:
        return [client.post(f"{PRODUCTS}/{product['id']}/refresh") for _ in range(5)]

    assert statuses(at_once(app, [ask] * 8)) == {202}
