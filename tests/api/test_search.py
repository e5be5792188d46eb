"""Search: it finds the same products on every database, with and without the full-text index."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, insert, select
from sqlalchemy.dialects import mysql

from productator.catalogue import search
from productator.catalogue.products import ORDERS
from productator.models import Product
from tests import factories
from tests.api.checks import PRODUCTS, items
from tests.servers import MigratedDatabase

Json = dict[str, Any]

NAMES = {
    "kettle": "Steel Kettle 1.7",
    "train": "Vláček Posázaví",
    "tv": "TV 55\" 5G",
    "the": "The Who - To be or not to be",
    "a": "A",
    "delonghi": "De'Longhi EC-685.M espresso_machine",
    "beans": "Espresso beans",
    "machine": "MACHINE for espresso, 15 bar",
    "100": "100% cotton",
    "cyrillic": "Кофемашина Эспрессо",
    "chinese": "全自动咖啡机",
    "japanese": "コーヒーメーカー 10杯",
    "hindi": "चाय की केतली",
    "korean": "커피 메이커",
    "emoji": "🎉 party ☕",
    "ligature": "ﬁlter straße",
    "polish": "Łódź",
    "long": "x" * 90 + " y",
    "longer": "x" * 83 + "z",
    "signs": r"""+-*~"()<>@ & | \ / ; ' %s %(q)s :q _""",
    "operators": "espressivo AND not OR",
    "mixed": "iPhone15 Pro/Max",
    "composed": "caf\u00e9 cre\u0301me",
}  # fmt: skip
# Before, between and behind them: so many names without a word that reading on does not fill a page of one.
BLANKS = ["§"] * search.ROWS_SCANNED

SEARCHED: list[tuple[str, set[str]]] = [
    ("kettle", {"kettle"}),
    ("KETTLE", {"kettle"}),
    ("kettle steel", {"kettle"}),
    ("ket ste", {"kettle"}),
    ("k s 1 7", {"kettle"}),
    ("1.7", {"kettle"}),
    ("ettle", set()),
    ("steelkettle", set()),
    ("kettle teapot", set()),
    ("posázaví", {"train"}),
    ("POSAZAVI vlac", {"train"}),
    ("pósazavi", {"train"}),
    ("tv", {"tv"}),
    ("t", {"tv", "the"}),
    ("55 tv", {"tv"}),
    ("5", {"tv"}),
    ("5g", {"tv"}),
    ("the", {"the"}),
    ("the who", {"the"}),
    ("who the to be", {"the"}),
    ("to be or not to be", {"the"}),
    ("a", {"a", "operators"}),
    ("delonghi", set()),
    ("de'longhi", {"delonghi"}),
    ("longhi de", {"delonghi"}),
    ("ec-685", {"delonghi"}),
    ("ec 68", {"delonghi"}),
    ("espresso_machine", {"delonghi", "machine"}),
    ("espresso mach", {"delonghi", "machine"}),
    ("esp", {"delonghi", "beans", "machine", "operators"}),
    ("espresso", {"delonghi", "beans", "machine"}),
    ("15 espresso", {"machine"}),
    ("10", {"100", "japanese"}),
    ("100%", {"100"}),
    ("100 % c_tton", set()),
    ("кофемашина", {"cyrillic"}),
    ("эспр КОФЕ", {"cyrillic"}),
    ("машина", set()),
    ("咖啡", {"chinese"}),
    ("咖啡机", {"chinese"}),
    ("机", {"chinese"}),
    ("茶", set()),
    ("メーカー", {"japanese"}),
    ("10杯", {"japanese"}),
    ("केतली", {"hindi"}),
    ("커피", {"korean"}),
    ("party", {"emoji"}),
    ("🎉 party", {"emoji"}),
    ("🎉", set()),
    ("filter", {"ligature"}),
    ("STRASSE", {"ligature"}),
    ("lodz", {"polish"}),
    ("x" * 90, {"long", "longer"}),
    ("x" * 83, {"long", "longer"}),
    ("y " + "x" * 50, {"long"}),
    ("+", set()),
    ("%", set()),
    ("_", set()),
    ("\\", set()),
    ("'", set()),
    ('"', set()),
    ("*", set()),
    ("esp*", {"delonghi", "beans", "machine", "operators"}),
    ("-beans espresso", {"beans"}),
    ("+espresso -beans", {"beans"}),
    ('"espresso beans"', {"beans"}),
    ('"espresso', {"delonghi", "beans", "machine"}),
    ("espresso)(", {"delonghi", "beans", "machine"}),
    ("@2 espresso", set()),
    ("~esp <mach >esp", {"delonghi", "machine"}),
    ("%s", {"signs", "kettle", "ligature"}),
    ("%(q)s", {"signs"}),
    (":q", {"signs"}),
    ("not AND or", {"operators"}),
    ("iphone15", {"mixed"}),
    ("iphone 15", set()),
    ("pro max", {"mixed"}),
    ("cafe crème", {"composed"}),
    ("", {*NAMES, *BLANKS}),
    (" \t", {*NAMES, *BLANKS}),
]  # fmt: skip


# Which key of NAMES a name has; the blanks have themselves.
KEYS = {name: key for key, name in NAMES.items()} | {name: name for name in BLANKS}


@pytest.fixture(scope="module")
def corpus(kept: MigratedDatabase) -> Engine:
    """A database with all the names, for tests that only read."""
    store_corpus(kept.engine)
    return kept.engine


@pytest.fixture(scope="module")
def reader(kept: MigratedDatabase, corpus: Engine) -> FlaskClient:
    return kept.app.test_client()


def store_corpus(engine: Engine) -> None:
    names = [*BLANKS, *NAMES.values(), *BLANKS]
    with engine.begin() as connection:
        connection.execute(insert(Product), [row(name, number) for number, name in enumerate(names)])


def row(name: str, number: int) -> Json:
    times = {"created_at": factories.NOW, "updated_at": factories.NOW}
    return {"name": name, "description": "", "remote_id": str(number), "version": 1} | times


def found(client: FlaskClient, text: str, **query: Any) -> list[str]:
    first = client.get(PRODUCTS, query_string={"q": text} | query).get_json()
    rest = items(client, first["next"]) if first["next"] else []
    return [KEYS[product["name"]] for product in first["items"] + rest]


@pytest.mark.parametrize(("text", "expected"), SEARCHED)
def test_a_search_finds_the_names_that_have_its_words(
    reader: FlaskClient, text: str, expected: set[str]
) -> None:
    assert set(found(reader, text, limit=200)) == expected


@pytest.mark.parametrize(("text", "expected"), SEARCHED[:-2])
def test_a_search_in_pages_of_one_finds_each_name_once(
    reader: FlaskClient, text: str, expected: set[str]
) -> None:
    assert sorted(found(reader, text, limit=1)) == sorted(expected)


@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name", "created_at", "-updated_at"])
def test_what_is_found_is_sorted(reader: FlaskClient, sort: str, limit: int) -> None:
    everything = found(reader, "", sort=sort, limit=200)
    hits = {"delonghi", "beans", "machine", "operators"}

    assert found(reader, "esp", sort=sort, limit=limit) == [key for key in everything if key in hits]


@pytest.fixture
def looked_up(corpus: Engine) -> Callable[[str, int], list[str]]:
    """What the full-text index is asked for, at the page of one product behind that many."""

    def ask(text: str, behind: int) -> list[str]:
        with corpus.connect() as connection:
            query = select(Product.id).order_by(Product.id).offset(behind - 1).limit(1)
            product_id = connection.scalars(query).one()
            condition = search.condition(
                connection, text, ORDERS["id"], limit=1, position=[product_id, product_id]
            )
        values = condition.compile(dialect=mysql.dialect()).params.values()
        return [value for value in values if str(value).startswith("+")]

    return ask


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kettle", ["+__kettle*"]),
        ("espresso bar", ["+__bar*"]),
        ("tv espresso nowhere", ["+__nowhere*"]),
    ],
)
def test_the_rarest_term_is_looked_up_where_there_is_an_index(
    corpus: Engine, looked_up: Callable[[str, int], list[str]], text: str, words: list[str]
) -> None:
    assert looked_up(text, len(BLANKS)) == [word for word in words if corpus.dialect.name != "sqlite"]


@pytest.mark.parametrize(
    ("text", "behind"),
    [("esp", len(BLANKS)), ("nowhere", len(BLANKS) + len(NAMES) + 1)],
)
def test_where_the_next_rows_are_enough_they_are_read(
    looked_up: Callable[[str, int], list[str]], text: str, behind: int
) -> None:
    assert looked_up(text, behind) == []


def test_a_new_name_is_found_at_once(client: FlaskClient, engine: Engine) -> None:
    store_corpus(engine)
    url = f"{PRODUCTS}/{factories.posted_product(client, name='Teapot')['id']}"
    query = {"q": "teapot", "limit": 1}
    assert client.get(PRODUCTS, query_string=query).get_json()["items"] == [client.get(url).get_json()]

    client.patch(url, json={"name": "Samovar"})
    assert client.get(PRODUCTS, query_string=query).get_json()["items"] == []
    assert client.get(PRODUCTS, query_string=query | {"q": "sam"}).get_json()["items"] == [
        client.get(url).get_json()
    ]

    client.delete(url)
    assert client.get(PRODUCTS, query_string=query | {"q": "sam"}).get_json()["items"] == []


def test_the_products_of_a_batch_are_found(client: FlaskClient, engine: Engine) -> None:
    store_corpus(engine)
    client.post(f"{PRODUCTS}/batch", json={"items": [{"name": "Blue teapot"}, {"name": "Red teapot"}]})

    body = client.get(PRODUCTS, query_string={"q": "teapot", "limit": 1}).get_json()

    assert [product["name"] for product in body["items"]] == ["Blue teapot"]
    assert [product["name"] for product in items(client, body["next"])] == ["Red teapot"]


def test_a_search_reads_names_only(client: FlaskClient) -> None:
    factories.posted_product(client, description="kettle")

    assert client.get(f"{PRODUCTS}?q=kettle").get_json() == {"items": [], "next": None}


def test_the_terms_are_not_in_the_answer(client: FlaskClient, product: Json) -> None:
    assert "__espresso" not in client.get(PRODUCTS).text + client.get(f"{PRODUCTS}/{product['id']}").text
