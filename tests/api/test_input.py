"""Requests that cannot be parsed, and requests with unacceptable values."""

import gzip
import json
import tracemalloc
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.api.checks import OFFERS, PRODUCTS, offer_url, offers_url, problem, wrong_fields
from tests.marks import SENDS_NO_SQL

Json = dict[str, Any]

NOT_JSON = {
    "empty": b"",
    "blank": b"  \n",
    "cut off": b'{"name": "Ket',
    "a word": b"name",
    "single quotes": b"{'name': 'Kettle'}",
    "a trailing comma": b'{"name": "Kettle",}',
    "two documents": b'{"name": "Kettle"} {}',
    "a comment": b'{"name": "Kettle"} // mine',
    "NaN": b'{"name": NaN}',
    "NaN in an unknown field": b'{"name": "Kettle", "x": [NaN]}',
    "Infinity": b'{"name": Infinity}',
    "minus Infinity": b'{"name": -Infinity}',
    "a lone surrogate": b'{"name": "\\ud83d"}',
    "a lone second surrogate": b'{"name": "\\ude00x"}',
    "a lone surrogate in a key": b'{"name": "Kettle", "\\ud83d": 1}',
    "invalid UTF-8": b'{"name": "\xff"}',
    "a surrogate in UTF-8": b'{"name": "\xed\xa0\xbd"}',
    "UTF-16": '{"name": "Kettle"}'.encode("utf-16"),
    "a raw NUL": b'{"name": "Ket\x00tle"}',
    "a number of 5,000 digits": b'{"name": ' + b"1" * 5000 + b"}",
    "100,000 brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"name":' * 100_000,
    "a deep unknown field": b'{"name": "Kettle", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, body: bytes) -> None:
    problem(client.post(PRODUCTS, data=body, content_type="application/json"), 400)

    assert client.get(PRODUCTS).get_json()["items"] == []


def test_a_byte_order_mark_before_json_is_ignored(client: FlaskClient) -> None:
    # Editors and PowerShell write it, and curl sends their files as they are.
    body = b'\xef\xbb\xbf{"name": "Kettle"}'
    response = client.post(PRODUCTS, data=body, content_type="application/json")

    assert response.get_json()["name"] == "Kettle"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@SENDS_NO_SQL
def test_a_byte_order_mark_of_another_encoding_is_named(client: FlaskClient, encoding: str) -> None:
    body = '\ufeff{"name": "Kettle"}'.encode(encoding)
    response = client.post(PRODUCTS, data=body, content_type="application/json")

    assert "UTF-16" in problem(response, 400)["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate", "identity, gzip", "x"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@SENDS_NO_SQL
def test_an_encoded_body_is_refused_by_the_name_of_its_header(
    client: FlaskClient, product: Json, method: str, encoding: str
) -> None:
    url = PRODUCTS if method == "POST" else f"{PRODUCTS}/{product['id']}"
    body = gzip.compress(b'{"name": "Kettle"}')
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    refused = client.open(url, method=method, data=body, headers=headers)

    assert problem(refused, 415)["type"] == "/problems/body-encoded"
    assert f"Content-Encoding: {encoding}" in refused.get_json()["detail"]
    assert refused.headers["Accept-Encoding"] == "identity"


def test_a_body_that_is_not_encoded_may_say_so(client: FlaskClient) -> None:
    headers = {"Content-Encoding": "identity"}

    assert client.post(PRODUCTS, json={"name": "Kettle"}, headers=headers).status_code == 201


@pytest.mark.parametrize("coding", ["gzip, chunked", "gzip", "identity", "chunked, chunked", "xchunked", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
@SENDS_NO_SQL
def test_another_transfer_coding_than_chunked_is_refused_by_its_name(
    client: FlaskClient, method: str, coding: str
) -> None:
    refused = client.open(
        PRODUCTS,
        method=method,
        data=b"{}",
        headers={"Transfer-Encoding": coding, "Content-Type": "application/json"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert problem(refused, 415)["type"] == "/problems/body-encoded"
    assert f"Transfer-Encoding: {coding}" in refused.get_json()["detail"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@SENDS_NO_SQL
def test_every_method_that_reads_a_body_refuses_what_is_not_json(
    client: FlaskClient, offer: Json, method: str
) -> None:
    problem(client.open(offer_url(offer), method=method, data="{", content_type="application/json"), 400)


@pytest.mark.parametrize("body", ["[]", "5", "null", '"Kettle"', "true", '[{"name": "Kettle"}]'])
@SENDS_NO_SQL
def test_json_that_is_not_an_object_is_refused(client: FlaskClient, body: str) -> None:
    assert wrong_fields(client.post(PRODUCTS, data=body, content_type="application/json")) == {""}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""]
)
@SENDS_NO_SQL
def test_another_content_type_is_refused(client: FlaskClient, content_type: str) -> None:
    problem(client.post(PRODUCTS, data='{"name": "Kettle"}', content_type=content_type), 415)


@SENDS_NO_SQL
def test_a_body_without_content_type_is_refused(client: FlaskClient) -> None:
    problem(client.post(PRODUCTS, data='{"name": "Kettle"}'), 415)


@SENDS_NO_SQL
def test_put_does_not_accept_a_merge_patch(client: FlaskClient, offer: Json) -> None:
    response = client.put(offer_url(offer), data="{}", content_type="application/merge-patch+json")

    problem(response, 415)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_content_type_do_not_matter(
    client: FlaskClient, content_type: str
) -> None:
    response = client.post(PRODUCTS, data='{"name": "Kettle"}', content_type=content_type)

    assert response.status_code == 201


@SENDS_NO_SQL
def test_a_body_over_one_mebibyte_is_refused(client: FlaskClient) -> None:
    body = b'{"name": "Kettle"}'.ljust(1024 * 1024 + 1)

    found = problem(client.post(PRODUCTS, data=body, content_type="application/json"), 413)

    assert found["detail"] == "The body may have up to 1 MiB (1048576 bytes)."


@SENDS_NO_SQL
@pytest.mark.parametrize("length", [str(1024 * 1024 + 1), "9" * 5_000])
def test_a_body_over_one_mebibyte_is_refused_where_nobody_reads_it(client: FlaskClient, length: str) -> None:
    problem(client.post(f"{PRODUCTS}/1/refresh", environ_overrides={"CONTENT_LENGTH": length}), 413)


def test_a_body_of_one_mebibyte_is_read(client: FlaskClient) -> None:
    body = b'{"name": "Kettle"}'.ljust(1024 * 1024)

    assert client.post(PRODUCTS, data=body, content_type="application/json").status_code == 201


@pytest.mark.parametrize("length", ["abc", "-1", "2, 2", "1.0", "\xd9\xa1"])
@SENDS_NO_SQL
def test_a_length_that_is_not_a_number_is_refused(client: FlaskClient, length: str) -> None:
    response = client.post(PRODUCTS, data="{}", environ_overrides={"CONTENT_LENGTH": length})

    assert problem(response, 400)["detail"] == "The Content-Length is not a number."


@pytest.mark.parametrize("length", ["18 ", "18\t "])
def test_blanks_behind_a_length_are_no_part_of_it(client: FlaskClient, length: str) -> None:
    response = client.post(
        PRODUCTS,
        data='{"name": "Kettle"}',
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": length},
    )

    assert response.status_code == 201


@SENDS_NO_SQL
def test_a_chunked_body_is_never_taken_as_empty(client: FlaskClient, product: Json) -> None:
    response = client.patch(
        f"{PRODUCTS}/{product['id']}",
        data="{}",
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
    )

    problem(response, 411)


def test_a_chunked_body_is_read_where_the_server_decodes_it(client: FlaskClient) -> None:
    response = client.post(
        PRODUCTS,
        data='{"name": "Kettle"}',
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/name"}),
        ({"name": None}, {"/name"}),
        ({"name": 5}, {"/name"}),
        ({"name": ["Kettle"]}, {"/name"}),
        ({"name": ""}, {"/name"}),
        ({"name": " \t\n"}, {"/name"}),
        ({"name": "\u3000\u2003"}, {"/name"}),
        ({"name": "\u200b"}, {"/name"}),
        ({"name": " \u2060\ufeff\u00ad"}, {"/name"}),
        ({"name": "\x01\x7f\u0085"}, {"/name"}),
        ({"name": "\u3164\u115f\u2800"}, {"/name"}),
        ({"name": "\ufe0f\U000e0041"}, {"/name"}),
        ({"name": "x" * 451}, {"/name"}),
        ({"name": "Ket\0tle"}, {"/name"}),
        ({"name": "Kettle", "description": 1.5}, {"/description"}),
        ({"name": "Kettle", "description": "x" * 10_001}, {"/description"}),
        ({"name": "Kettle", "description": "\0"}, {"/description"}),
        ({"name": "Kettle", "id": 7}, {"/id"}),
        ({"name": "Kettle", "Name": "Kettle"}, {"/Name"}),
        ({"name": "Kettle", "registration": "registered"}, {"/registration"}),
        ({"name": "Kettle", "remote_id": "x", "version": 3}, {"/remote_id", "/version"}),
        ({"name": "", "description": 5, "a/b~c": {}}, {"/name", "/description", "/a~1b~0c"}),
    ],
)
def test_a_product_names_all_its_wrong_fields_at_once(
    client: FlaskClient, body: Json, pointers: set[str]
) -> None:
    assert wrong_fields(client.post(PRODUCTS, json=body)) == pointers
    assert client.get(PRODUCTS).get_json()["items"] == []


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"name": None}, {"/name"}),
        ({"name": ""}, {"/name"}),
        ({"name": "x" * 451, "description": 7}, {"/name", "/description"}),
        ({"id": 7}, {"/id"}),
        ({"created_at": "2026-01-01T00:00:00Z"}, {"/created_at"}),
    ],
)
@pytest.mark.parametrize("method", ["PATCH"])
def test_a_wrong_patch_changes_nothing(
    client: FlaskClient, product: Json, method: str, body: Json, pointers: set[str]
) -> None:
    response = client.open(f"{PRODUCTS}/{product['id']}", method=method, json={"description": "new"} | body)

    assert wrong_fields(response) == pointers
    assert client.get(PRODUCTS).get_json()["items"] == [product]


@pytest.mark.parametrize(
    "value", ["true", '"5"', "5.5", "1e400", "null", "-1", "[5]", "{}", str(2**53), "1" * 400]
)
@pytest.mark.parametrize("field", ["price", "items_in_stock"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_amounts_are_whole_numbers_within_bounds(
    client: FlaskClient, offer: Json, method: str, field: str, value: str
) -> None:
    body = json.dumps({"price": 1, "items_in_stock": 1} | {field: "?"}).replace('"?"', value)

    response = client.open(offer_url(offer), method=method, data=body, content_type="application/json")

    assert wrong_fields(response) == {f"/{field}"}
    assert client.get(offer_url(offer)).get_json() == offer


@pytest.mark.parametrize(("written", "price"), [("5.0", 5), ("1e2", 100), (f"{2**53 - 1}.0", 2**53 - 1)])
def test_a_whole_number_may_be_written_with_a_fraction(
    client: FlaskClient, offer: Json, written: str, price: int
) -> None:
    body = f'{{"price": {written}}}'

    response = client.patch(offer_url(offer), data=body, content_type="application/json")

    assert f'"price":{price},' in response.text


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/price", "/items_in_stock"}),
        ({"price": 1}, {"/items_in_stock"}),
        ({"price": True, "items_in_stock": -1, "id": 7}, {"/price", "/items_in_stock", "/id"}),
        ({"price": 1, "items_in_stock": 1, "external_id": "x"}, {"/external_id"}),
        ({"price": 1, "items_in_stock": 1, "source": "own"}, {"/source"}),
        ({"price": 1, "items_in_stock": 1, "product_id": 2}, {"/product_id"}),
        ({"price": 1, "items_in_stock": 1, "currency": "EUR"}, {"/currency"}),
    ],
)
def test_an_offer_names_all_its_wrong_fields_at_once(
    client: FlaskClient, product: Json, body: Json, pointers: set[str]
) -> None:
    assert wrong_fields(client.post(offers_url(product), json=body)) == pointers
    assert client.get(offers_url(product)).get_json()["items"] == []


TEXTS = {
    "emoji of four bytes, to the limit": "\N{AUTOMOBILE}" * 450,
    "one character": "x",
    "spaces around": "  Kettle  ",
    "markup": "<script>alert('x')</script>",
    "SQL": "Robert'); DROP TABLE products;--",
    "backslashes and quotes": "\\ \" ' \\' %s %(name)s {0} :name",
    "an accent alone": "\N{COMBINING ACUTE ACCENT}",
    "a control character": "a\x01",
    "a visible character among invisible ones": "\u200bx\N{SOFT HYPHEN}",
    "an emoji with a variation": "\N{HEAVY BLACK HEART}\ufe0f",
    "Czech": "Příliš žluťoučký kůň",
    "right to left": "\N{RIGHT-TO-LEFT OVERRIDE}elttek",
    "line ends": "a\nb\r\nc",
}


@pytest.mark.parametrize("name", TEXTS.values(), ids=TEXTS.keys())
def test_names_are_kept_exactly(client: FlaskClient, name: str) -> None:
    product = factories.posted_product(client, name=name)

    assert product["name"] == name
    assert client.get(f"{PRODUCTS}/{product['id']}").get_json()["name"] == name


def test_a_description_of_the_greatest_length_is_kept(client: FlaskClient) -> None:
    product = factories.posted_product(client, description="\N{AUTOMOBILE}" * 10_000)

    assert client.get(PRODUCTS).get_json()["items"] == [product]


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "1.5", "1_0", " 5", "+5", "5 ", "five", "", "\N{ARABIC-INDIC DIGIT FIVE}", "0x10", "1e1"],
)
@pytest.mark.parametrize("path", [PRODUCTS, OFFERS])
@SENDS_NO_SQL
def test_a_limit_that_is_not_a_positive_whole_number_is_refused(
    client: FlaskClient, path: str, limit: str
) -> None:
    assert wrong_fields(client.get(path, query_string={"limit": limit})) == {"/limit"}


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ("color=red", {"/color"}),
        ("Limit=5", {"/Limit"}),
        ("limit=5&limit=6", {"/limit"}),
        ("limit=5&limit=6&q=%00", {"/limit", "/q"}),
        ("limit=x&offset=3", {"/limit", "/offset"}),
        ("q=%00", {"/q"}),
        ("q=" + "x" * 451, {"/q"}),
        ("sort=price", {"/sort"}),
    ],
)
@SENDS_NO_SQL
def test_the_list_of_products_refuses_wrong_and_unknown_parameters(
    client: FlaskClient, query: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(f"{PRODUCTS}?{query}")) == pointers


WRONG_FILTERS = [
    ("in_stock=True", {"/in_stock"}),
    ("in_stock=1", {"/in_stock"}),
    ("in_stock=", {"/in_stock"}),
    ("in_stock=yes", {"/in_stock"}),
    ("min_price=-1", {"/min_price"}),
    ("min_price=1.5", {"/min_price"}),
    ("min_price=", {"/min_price"}),
    (f"max_price={2**53}", {"/max_price"}),
    ("max_price=" + "9" * 40, {"/max_price"}),
    ("sort=Price", {"/sort"}),
    ("sort=price,id", {"/sort"}),
    ("sort=price&sort=-price", {"/sort"}),
    ("sort=stock&min_price=x&color=red", {"/sort", "/min_price", "/color"}),
    ("min_price=30&max_price=10", {"/min_price"}),
    ("min_price=30&max_price=10&sort=x&color=red", {"/min_price", "/sort", "/color"}),
    ("min_price=30&max_price=10&max_price=40", {"/max_price"}),
]


@pytest.mark.parametrize(("query", "pointers"), WRONG_FILTERS)
@SENDS_NO_SQL
def test_the_list_of_a_products_offers_refuses_wrong_and_unknown_parameters(
    client: FlaskClient, product: Json, query: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(f"{offers_url(product)}?{query}")) == pointers


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        *WRONG_FILTERS,
        ("product_id=0", {"/product_id"}),
        ("product_id=abc", {"/product_id"}),
        (f"product_id={2**63}", {"/product_id"}),
    ],
)
@SENDS_NO_SQL
def test_the_list_of_all_offers_refuses_wrong_and_unknown_parameters(
    client: FlaskClient, query: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(f"{OFFERS}?{query}")) == pointers


@SENDS_NO_SQL
def test_wrong_input_is_reported_before_an_unknown_product(client: FlaskClient) -> None:
    wrong_fields(client.put(f"{PRODUCTS}/1", json={}))


FROM_AFTER_TO = "from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z"


@pytest.mark.parametrize("path", ["offers/history", "offers/7/history"])
@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        (FROM_AFTER_TO, {"/from"}),
        (f"{FROM_AFTER_TO}&limit=0", {"/from", "/limit"}),
        (f"{FROM_AFTER_TO}&cursor=x", {"/from", "/cursor"}),
        (f"{FROM_AFTER_TO}&cursor=x&limit=0&color=red", {"/from", "/cursor", "/limit", "/color"}),
        ("from=x&to=x&cursor=x", {"/from", "/to", "/cursor"}),
    ],
)
@SENDS_NO_SQL
def test_a_history_names_all_that_is_wrong_at_once(
    client: FlaskClient, product: Json, path: str, query: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(f"{PRODUCTS}/{product['id']}/{path}?{query}")) == pointers


@pytest.mark.parametrize(
    ("path", "pointers"),
    [
        (f"price-history?{FROM_AFTER_TO}&interval=x&color=red", {"/from", "/interval", "/color"}),
        (f"price-trend?{FROM_AFTER_TO}&color=red", {"/from", "/color"}),
    ],
)
@SENDS_NO_SQL
def test_figures_name_all_that_is_wrong_at_once(
    client: FlaskClient, product: Json, path: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(f"{PRODUCTS}/{product['id']}/{path}")) == pointers


@pytest.mark.parametrize(
    ("url", "pointers"),
    [
        (f"{PRODUCTS}?cursor=x&limit=0", {"/cursor", "/limit"}),
        (f"{OFFERS}?cursor=x&min_price=2&max_price=1", {"/cursor", "/min_price"}),
        (f"{OFFERS}?cursor=x&cursor=y", {"/cursor"}),
    ],
)
@SENDS_NO_SQL
def test_a_cursor_that_cannot_be_used_hides_no_other_error(
    client: FlaskClient, url: str, pointers: set[str]
) -> None:
    assert wrong_fields(client.get(url)) == pointers


def test_a_cursor_that_can_be_used_is_not_named_beside_other_errors(
    client: FlaskClient, product: Json, other_product: Json
) -> None:
    following = client.get(f"{PRODUCTS}?limit=1").get_json()["next"]

    assert wrong_fields(client.get(following.replace("limit=1", "limit=0"))) == {"/limit"}


@pytest.mark.parametrize("path", [PRODUCTS, f"{PRODUCTS}/batch"])
@SENDS_NO_SQL
def test_of_very_many_errors_the_first_hundred_are_listed(client: FlaskClient, path: str) -> None:
    body = {f"{number:x}": 0 for number in range(80_000)}
    tracemalloc.start()
    refused = client.post(path, json=body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    errors = problem(refused, 422)["errors"]
    assert len(errors) == 100
    assert errors[0]["pointer"] in {"/name", "/items"}, "what the API knows comes first"
    assert refused.get_json()["detail"].endswith("`errors` lists the first 100.")
    # The request itself, which the client encodes and the API decodes, takes most of it.
    assert peak < 60 * 2**20


@SENDS_NO_SQL
def test_of_very_many_unknown_parameters_the_first_hundred_are_listed(client: FlaskClient) -> None:
    query = "&".join(f"{number:x}" for number in range(1_000))

    assert len(problem(client.get(f"{PRODUCTS}?{query}"), 422)["errors"]) == 100


@SENDS_NO_SQL
def test_a_hundred_errors_are_all_that_there_are(client: FlaskClient) -> None:
    refused = client.post(PRODUCTS, json={"name": "Kettle"} | dict.fromkeys(map(str, range(100)), 0))

    assert len(problem(refused, 422)["errors"]) == 100
    assert refused.get_json()["detail"].endswith("`errors` lists each.")
