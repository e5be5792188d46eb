"""Orders of products: each list is complete, also with equal keys, and the same with every page size."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert

from productator.models import Product
from tests import factories
from tests.api.checks import PRODUCTS, items, pages, problem
from tests.marks import SENDS_NO_SQL
from tests.servers import MigratedDatabase

Json = dict[str, Any]

SORTS = ["id", "name", "created_at", "updated_at"]
BOTH_WAYS = [*SORTS, *(f"-{sort}" for sort in SORTS)]
# To a database that compares without case and accents many of these are equal; to none are they in order.
NAMES = [
    "kettle", "Kettle", "KETTLE", "kettlé", "Kettle ", "Čaj", "caj", "Zebra", "apple", "🎉", "☕", "咖啡",
    " Kettle", "Kettle 2", "ﬁlter", "filter", "straße", "strasse", "a" * 450, "a" * 449 + "b", "😀" * 450,
    "50 %", "50 _", "back\\slash", "quo'te", 'quo"te', "\x01", "ß", "\u0301",
]  # fmt: skip
MICROSECONDS = [7, 0, 999_999, 7, 7, 1, 500_000, 7]


def store_many_products(engine: Engine) -> None:
    """Products whose names and times are often equal, and differ by a microsecond elsewhere."""
    rows = [
        {
            "name": name,
            "description": "",
            "remote_id": str(number),
            "version": 1,
            "created_at": factories.NOW + timedelta(microseconds=MICROSECONDS[number % 8]),
            "updated_at": factories.NOW - timedelta(microseconds=MICROSECONDS[number % 7]),
        }
        for number, name in enumerate(NAMES)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Product), rows)


@pytest.fixture(scope="module")
def reader(kept: MigratedDatabase) -> FlaskClient:
    """A client of many products, for tests that only read."""
    store_many_products(kept.engine)
    return kept.app.test_client()


@pytest.fixture
def many_products(client: FlaskClient, engine: Engine) -> list[Json]:
    store_many_products(engine)
    return items(client, f"{PRODUCTS}?limit=200")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 28])
@pytest.mark.parametrize("sort", BOTH_WAYS)
def test_the_pages_together_are_the_whole_list(reader: FlaskClient, sort: str, limit: int) -> None:
    whole = reader.get(f"{PRODUCTS}?limit=200&sort={sort}").get_json()["items"]

    assert len({product["id"] for product in whole}) == len(whole) == len(NAMES)
    assert items(reader, f"{PRODUCTS}?limit={limit}&sort={sort}") == whole


@pytest.mark.parametrize("sort", ["id", "created_at", "updated_at"])
def test_rows_of_equal_time_are_sorted_by_id(reader: FlaskClient, sort: str) -> None:
    found = items(reader, f"{PRODUCTS}?sort={sort}")

    assert found == sorted(found, key=lambda product: (product[sort], product["id"]))
    assert len(found) == len(NAMES)


@pytest.mark.parametrize("sort", SORTS)
def test_descending_order_is_ascending_order_reversed(reader: FlaskClient, sort: str) -> None:
    assert items(reader, f"{PRODUCTS}?sort=-{sort}") == items(reader, f"{PRODUCTS}?sort={sort}")[::-1]


def test_names_are_sorted_by_their_letters(client: FlaskClient) -> None:
    for name in ("Mill", "Kettle 2", "Burr grinder", "Kettle 10", "Zest grater", "Kettle"):
        factories.posted_product(client, name=name)

    assert [product["name"] for product in items(client, f"{PRODUCTS}?sort=name&limit=2")] == [
        "Burr grinder", "Kettle", "Kettle 10", "Kettle 2", "Mill", "Zest grater",
    ]  # fmt: skip


def test_the_last_changed_product_can_come_first(client: FlaskClient) -> None:
    made = [factories.posted_product(client, name=f"Kettle {number}") for number in range(3)]
    client.patch(f"{PRODUCTS}/{made[1]['id']}", json={"description": "changed"})

    found = [product["id"] for product in items(client, f"{PRODUCTS}?sort=-updated_at&limit=1")]

    assert found == [made[1]["id"], made[2]["id"], made[0]["id"]]


@pytest.mark.parametrize("sort", BOTH_WAYS)
def test_rows_that_exist_all_the_time_are_neither_skipped_nor_repeated(
    client: FlaskClient, many_products: list[Json], sort: str
) -> None:
    first = client.get(f"{PRODUCTS}?limit=9&sort={sort}").get_json()
    following = client.get(first["next"]).get_json()
    gone = {first["items"][-1]["id"], following["items"][0]["id"], following["items"][-1]["id"]}

    for product_id in gone:
        client.delete(f"{PRODUCTS}/{product_id}")
    added = {factories.posted_product(client, name=name)["id"] for name in ("kettle", "aaa", "zzz")}
    shown = [product["id"] for product in first["items"] + items(client, first["next"])]

    throughout = {product["id"] for product in many_products} - gone
    assert len(shown) == len(set(shown))
    assert throughout <= set(shown) <= throughout | added | gone


@pytest.mark.parametrize("sort", BOTH_WAYS)
def test_a_cursor_belongs_to_its_order(reader: FlaskClient, sort: str) -> None:
    following = reader.get(f"{PRODUCTS}?limit=1&sort={sort}").get_json()["next"]
    other = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"

    problem(reader.get(following.replace(f"sort={sort}", f"sort={other}")), 400)


@pytest.mark.parametrize("sort", ["", "price", "--id", "ID", "description", "remote_id", "name,id", "+name"])
@SENDS_NO_SQL
def test_an_unknown_order_is_refused(client: FlaskClient, sort: str) -> None:
    errors = problem(client.get(PRODUCTS, query_string={"sort": sort}), 422)["errors"]

    assert [error["pointer"] for error in errors] == ["/sort"]


def as_in_wsgi(header: str) -> str:
    """The bytes of a header, as a server passes them on."""
    return header.encode().decode("latin-1")


@pytest.mark.parametrize("path", [PRODUCTS, "/api/v1/offers"])
@pytest.mark.parametrize(
    "host", ["localhost", "shop.example:8080", "xn--aj-nja.example", as_in_wsgi("čaj.example")]
)
def test_the_link_to_the_next_page_is_that_of_the_body(
    client: FlaskClient, offer: Json, other_product: Json, path: str, host: str
) -> None:
    factories.posted_offer(client, other_product["id"])
    response = client.get(f"{path}?limit=1", headers={"Host": host})

    assert response.get_json()["next"]
    assert response.headers.getlist("Link") == [f'<{response.get_json()["next"]}>; rel="next"']


@pytest.mark.parametrize("path", [PRODUCTS, "/api/v1/offers"])
def test_the_last_page_links_to_none(client: FlaskClient, offer: Json, path: str) -> None:
    assert "Link" not in client.get(path).headers


def test_a_link_survives_whatever_is_searched(client: FlaskClient) -> None:
    text = 'ketTle, <čaj>; rel="next" & 🎉'
    made = [factories.posted_product(client, name=f"{text} {number}") for number in range(3)]

    response = client.get(PRODUCTS, query_string={"q": text, "limit": 1})
    link = response.headers["Link"]

    assert link.isascii()
    assert link.count("<") == link.count(">") == 1
    assert [product for page in pages(client, response.get_json()["next"]) for product in page] == made[1:]
