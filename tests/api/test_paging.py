"""Pages: complete, without repetition, and only with our own cursors."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from itsdangerous import Signer
from itsdangerous.encoding import base64_decode, base64_encode
from sqlalchemy.orm import Session, sessionmaker

from productator.app import create_app
from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, items, offer_url, offers_url, pages, problem
from tests.marks import SENDS_NO_SQL
from tests.servers import MigratedDatabase, dispose_of

Json = dict[str, Any]

PRICES = [5, 7, 7, 7, 7, 0, 9, 7, 2**53 - 1, 5, 5, 1]


@pytest.fixture
def five_products(client: FlaskClient) -> list[Json]:
    return posted_products(client)


@pytest.fixture
def many_offers(client: FlaskClient, sessions: sessionmaker[Session]) -> list[Json]:
    return stored_offers(client, sessions)


@pytest.fixture(scope="module")
def reader(kept: MigratedDatabase) -> FlaskClient:
    """A client of many offers, for tests that only read."""
    client = kept.app.test_client()
    stored_offers(client, sessionmaker(kept.engine))
    return client


def posted_products(client: FlaskClient) -> list[Json]:
    return [factories.posted_product(client, name=f"Kettle {number}") for number in range(5)]


def stored_offers(client: FlaskClient, sessions: sessionmaker[Session]) -> list[Json]:
    """Own and external offers of two products, many of equal price."""
    first, second, *_ = posted_products(client)
    for price in PRICES:
        factories.posted_offer(client, first["id"], price=price)
        factories.external_offer(sessions, second["id"], price=price)
    found: list[Json] = client.get(f"{OFFERS}?limit=200").get_json()["items"]
    return found


def cursor_of(response_json: Json) -> str:
    return parse_qs(urlsplit(response_json["next"]).query)["cursor"][0]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (4, [4, 1]), (5, [5])])
def test_the_pages_of_products_hold_each_product_once(
    client: FlaskClient, five_products: list[Json], limit: int, sizes: list[int]
) -> None:
    found = pages(client, f"{PRODUCTS}?limit={limit}")

    assert [len(page) for page in found] == sizes
    assert [product for page in found for product in page] == five_products


@pytest.mark.parametrize("sort", ["id", "price", "-price"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 24])
def test_the_pages_of_offers_together_are_the_whole_list(reader: FlaskClient, sort: str, limit: int) -> None:
    whole = reader.get(f"{OFFERS}?limit=200&sort={sort}").get_json()["items"]

    assert len(whole) == 2 * len(PRICES)
    assert items(reader, f"{OFFERS}?limit={limit}&sort={sort}") == whole


def test_pages_keep_their_filters(reader: FlaskClient) -> None:
    product_id = reader.get(OFFERS).get_json()["items"][0]["product_id"]

    found = items(reader, f"{OFFERS}?limit=2&min_price=6&in_stock=true&product_id={product_id}&sort=price")

    assert [offer["price"] for offer in found] == [7, 7, 7, 7, 7, 9, 2**53 - 1]
    assert {offer["product_id"] for offer in found} == {product_id}


@pytest.mark.parametrize("text", ["Kettle", "ket tle&limit=9", "č%_\\"])
def test_pages_keep_the_text_that_is_searched(client: FlaskClient, text: str) -> None:
    made = [factories.posted_product(client, name=f"{text} {number}") for number in range(3)]
    factories.posted_product(client, name="Teapot")

    first = client.get(PRODUCTS, query_string={"q": text, "limit": 1}).get_json()

    assert first["items"] + items(client, first["next"]) == made


def test_an_empty_list_has_no_next_page(client: FlaskClient) -> None:
    assert client.get(PRODUCTS).get_json() == {"items": [], "next": None}
    assert client.get(OFFERS).get_json() == {"items": [], "next": None}


def test_the_last_page_has_no_next_one(client: FlaskClient, five_products: list[Json]) -> None:
    assert client.get(f"{PRODUCTS}?limit=5").get_json()["next"] is None


def test_fifty_are_shown_where_no_limit_is_given(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    made = [factories.external_offer(sessions, product["id"]) for _ in range(51)]

    assert [offer["id"] for offer in client.get(OFFERS).get_json()["items"]] == made[:50]


@pytest.mark.parametrize("limit", ["200", "201", "1000", "9" * 25, "0" * 40 + "9" * 5000])
def test_a_page_never_holds_more_than_two_hundred(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json, limit: str
) -> None:
    factories.external_offers(sessions, product["id"], count=201)

    assert [len(page) for page in pages(client, f"{OFFERS}?limit={limit}")] == [200, 1]


def test_fifty_offers_of_a_product_are_shown_where_no_limit_is_given(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    factories.external_offers(sessions, product["id"], count=51)

    assert [len(page) for page in pages(client, offers_url(product))] == [50, 1]


def test_a_page_of_a_products_offers_never_holds_more_than_two_hundred(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    factories.external_offers(sessions, product["id"], count=201)

    assert [len(page) for page in pages(client, f"{offers_url(product)}?limit=1000")] == [200, 1]


@pytest.mark.parametrize("sort", ["id", "price", "-price"])
@pytest.mark.parametrize("limit", [1, 5, 12])
def test_the_pages_of_a_products_offers_together_are_all_of_them(
    reader: FlaskClient, sort: str, limit: int
) -> None:
    product_id = reader.get(OFFERS).get_json()["items"][0]["product_id"]
    whole = reader.get(f"{OFFERS}?limit=200&sort={sort}&product_id={product_id}").get_json()["items"]

    assert len(whole) == len(PRICES)
    assert items(reader, f"{PRODUCTS}/{product_id}/offers?limit={limit}&sort={sort}") == whole


def test_each_page_of_a_products_offers_says_how_fresh_they_are_and_has_a_tag_and_a_link(
    client: FlaskClient, sessions: sessionmaker[Session], product: Json
) -> None:
    factories.external_offers(sessions, product["id"], count=2)

    first = client.get(f"{offers_url(product)}?limit=1")
    last = client.get(first.get_json()["next"])

    assert first.headers["Link"] == f'<{first.get_json()["next"]}>; rel="next"'
    assert last.get_json().keys() == first.get_json().keys() == {"items", "next", "refreshed_at", "stale"}
    assert last.get_json()["next"] is None
    assert last.headers["ETag"] != first.headers["ETag"]
    assert client.get(first.request.url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_page_of_a_products_offers_behind_the_last_one_is_empty(client: FlaskClient, product: Json) -> None:
    made = [factories.posted_offer(client, product["id"]) for _ in range(2)]
    following = client.get(f"{offers_url(product)}?limit=1").get_json()["next"]

    client.delete(offer_url(made[1]))

    assert client.get(following).get_json()["items"] == []


def test_the_cursor_of_a_products_offers_belongs_to_that_product(
    client: FlaskClient, product: Json, other_product: Json
) -> None:
    for _ in range(2):
        factories.posted_offer(client, product["id"])
    cursor = cursor_of(client.get(f"{offers_url(product)}?limit=1").get_json())

    problem(client.get(f"{offers_url(other_product)}?cursor={cursor}"), 400)


@pytest.mark.parametrize("sort", ["id", "price", "-price"])
def test_rows_that_exist_all_the_time_are_neither_skipped_nor_repeated(
    client: FlaskClient, many_offers: list[Json], sort: str
) -> None:
    own = [offer for offer in items(client, f"{OFFERS}?sort={sort}") if offer["source"] == "own"]
    first = client.get(f"{OFFERS}?limit=7&sort={sort}").get_json()

    client.delete(offer_url(own[0]))  # already shown
    client.delete(offer_url(own[-1]))  # still to come
    added = {factories.posted_offer(client, own[0]["product_id"], price=price)["id"] for price in (0, 5, 9)}
    shown = [offer["id"] for offer in first["items"] + items(client, first["next"])]

    throughout = {offer["id"] for offer in many_offers} - {own[0]["id"], own[-1]["id"]}
    assert len(shown) == len(set(shown))
    assert throughout <= set(shown) <= throughout | added | {own[0]["id"]}


@pytest.mark.parametrize("sort", ["id", "price", "-price"])
def test_a_cursor_survives_the_deletion_of_its_row(client: FlaskClient, product: Json, sort: str) -> None:
    made = [factories.posted_offer(client, product["id"], price=7) for _ in range(4)]
    first = client.get(f"{OFFERS}?limit=2&sort={sort}").get_json()
    whole = client.get(f"{OFFERS}?sort={sort}").get_json()["items"]

    client.delete(offer_url(first["items"][-1]))

    assert items(client, first["next"]) == whole[2:]
    assert len(whole) == len(made)


def test_a_product_created_between_two_pages_is_on_the_last(
    client: FlaskClient, five_products: list[Json]
) -> None:
    first = client.get(f"{PRODUCTS}?limit=3").get_json()
    added = factories.posted_product(client)

    assert items(client, first["next"]) == [*five_products[3:], added]


def test_a_cursor_may_be_used_twice(client: FlaskClient, five_products: list[Json]) -> None:
    following = client.get(f"{PRODUCTS}?limit=2").get_json()["next"]

    assert client.get(following).get_json() == client.get(following).get_json()


def test_the_size_of_pages_may_change_on_the_way(client: FlaskClient, five_products: list[Json]) -> None:
    cursor = cursor_of(client.get(f"{PRODUCTS}?limit=2").get_json())

    found = client.get(PRODUCTS, query_string={"cursor": cursor, "limit": 3}).get_json()

    assert found == {"items": five_products[2:], "next": None}


@pytest.mark.parametrize(
    "path",
    [
        PRODUCTS,
        f"{OFFERS}?sort=-price",
        f"{OFFERS}?sort=price&min_price=1",
        f"{OFFERS}?sort=price&product_id=1",
        f"{OFFERS}?sort=price&in_stock=true",
        f"{OFFERS}",
    ],
)
def test_a_cursor_belongs_to_its_list_and_filters(reader: FlaskClient, path: str) -> None:
    cursor = cursor_of(reader.get(f"{OFFERS}?sort=price&limit=2").get_json())

    problem(reader.get(path + ("&" if "?" in path else "?") + f"cursor={cursor}"), 400)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        ".",
        "WzFd",
        "WzFd.",
        "WyJ4Il0.AAAA",
        "..",
        "%00",
        "%ff",
        "čaj",
        "0" * 5000,
        "' OR 1=1 --",
        "null",
    ],
)
@pytest.mark.parametrize("path", [PRODUCTS, OFFERS])
@SENDS_NO_SQL
def test_a_cursor_that_is_not_ours_is_refused(client: FlaskClient, path: str, cursor: str) -> None:
    problem(client.get(path, query_string={"cursor": cursor}), 400)


@pytest.mark.parametrize("place", [0, 5, -30, -1])
def test_a_tampered_cursor_is_refused(client: FlaskClient, five_products: list[Json], place: int) -> None:
    signs = list(cursor_of(client.get(f"{PRODUCTS}?limit=2").get_json()))
    signs[place] = "A" if signs[place] != "A" else "Q"

    problem(client.get(PRODUCTS, query_string={"cursor": "".join(signs)}), 400)


@pytest.mark.parametrize("sort", ["id", "name", "created_at"])
def test_a_signed_cursor_with_another_position_is_refused(
    client: FlaskClient, five_products: list[Json], sort: str
) -> None:
    signer = Signer("signs the cursors of tests", salt="cursor")
    ours = cursor_of(client.get(f"{PRODUCTS}?sort={sort}&limit=2").get_json())
    position, bound_to = json.loads(base64_decode(signer.unsign(ours)))
    forged = signer.sign(base64_encode(json.dumps([[None, *position[1:]], bound_to]))).decode()

    refused = client.get(PRODUCTS, query_string={"sort": sort, "cursor": forged})

    assert problem(refused, 400)["type"] == "/problems/cursor-rejected"


def test_a_cursor_signed_with_another_key_is_refused(client: FlaskClient, database_url: str) -> None:
    other = create_app(factories.settings(database_url=database_url, secret_key="another"))
    factories.posted_product(client)
    factories.posted_product(client)

    cursor = cursor_of(other.test_client().get(f"{PRODUCTS}?limit=1").get_json())
    dispose_of(other)

    problem(client.get(PRODUCTS, query_string={"cursor": cursor}), 400)


def test_a_cursor_reveals_nothing_of_the_secret(client: FlaskClient, five_products: list[Json]) -> None:
    assert "cursors of tests" not in client.get(f"{PRODUCTS}?limit=1").text
