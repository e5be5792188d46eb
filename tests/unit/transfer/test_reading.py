"""Files of products: what a record is, where it begins, and what is wrong with it."""

import gzip
import json
from io import BytesIO

import pytest

from productator.domain import NewProduct
from productator.transfer.csv_reading import MAX_RECORD_BYTES, csv_records
from productator.transfer.json_reading import MAX_OBJECT_BYTES, json_records
from productator.transfer.lines import unpacked
from productator.transfer.reading import READERS, Reader
from productator.transfer.records import IGNORED, InvalidRecord, Record

KETTLE = NewProduct("Kettle", "1.7 l")


def from_csv(text: str | bytes, *, ignore_unknown: bool = False) -> list[Record | InvalidRecord]:
    return list(csv_records(stream(text), ignore_unknown=ignore_unknown))


def from_json(text: str | bytes, *, ignore_unknown: bool = False) -> list[Record | InvalidRecord]:
    return list(json_records(stream(text), ignore_unknown=ignore_unknown))


def stream(text: str | bytes) -> BytesIO:
    return BytesIO(text if isinstance(text, bytes) else text.encode())


def mistakes(records: list[Record | InvalidRecord]) -> list[tuple[int, str, str]]:
    """Line, field and sentence of each mistake."""
    invalid = [record for record in records if isinstance(record, InvalidRecord)]
    return [(each.line, *error) for each in invalid for error in each.errors]


def products(records: list[Record | InvalidRecord]) -> list[NewProduct]:
    """Fails if any record is not a product."""
    assert mistakes(records) == []
    return [record.product for record in records if isinstance(record, Record)]


def lines(records: list[Record | InvalidRecord]) -> list[int]:
    return [record.line for record in records]


@pytest.mark.parametrize(
    "text",
    [
        "name,description\nKettle,1.7 l\n",
        "name,description\r\nKettle,1.7 l\r\n",
        "name,description\nKettle,1.7 l",
        "\ufeffname,description\nKettle,1.7 l\n",
        'description,name\n"1.7 l","Kettle"\n',
        "id,registration,name,created_at,updated_at,description\n7,pending,Kettle,x,y,1.7 l\n",
        "name,description\n\nKettle,1.7 l\n\n",
        "name;description\nKettle;1.7 l\n",
        "name\tdescription\nKettle\t1.7 l\n",
        "id;Name;Description\r\n1;Kettle;1.7 l\r\n",
        "sep=;\nname;description\nKettle;1.7 l\n",
        '"sep=;"\r\nname;description\r\nKettle;1.7 l\r\n',
        "\ufeffSEP=|\nname|description\nKettle|1.7 l\n",
        "sep=\t\nname\tdescription\nKettle\t1.7 l\n",
        " Name ,\tDESCRIPTION\u00a0\nKettle,1.7 l\n",
        "name,description,\nKettle,1.7 l,\n",
        "name,description,,\nKettle,1.7 l\n",
        "name,description\n,\nKettle,1.7 l\n,,,\n",
        "\nname,description\nKettle,1.7 l\n",
        " \n,\nname,description\nKettle,1.7 l\n",
        "name,description\rKettle,1.7 l\r",
        "\rname,description\rKettle,1.7 l",
        "sep=;\rname;description\rKettle;1.7 l\r",
    ],
)
def test_a_row_is_a_product(text: str) -> None:
    assert products(from_csv(text)) == [KETTLE]


def test_a_column_of_descriptions_may_be_missing() -> None:
    assert from_csv("name\nKettle\n") == [Record(2, NewProduct("Kettle", ""))]


def test_quoted_texts_keep_everything() -> None:
    records = from_csv('name,description\n"Kettle, ""big""","one\r\ntwo\rthree\n"\n')

    assert products(records) == [NewProduct('Kettle, "big"', "one\r\ntwo\rthree\n")]


def test_the_line_of_a_record_is_its_first() -> None:
    records = from_csv('name,description\nA,"1\n2\n3"\n\nB,x\n" ","\n"\nC,x\n')

    assert lines(records) == [2, 6, 7, 9]
    assert mistakes(records) == [(7, "name", "Must not be blank.")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_file_may_have_a_byte_order_mark(read: Reader, encoding: str) -> None:
    record = {"name": "Čaj, 😀\u2028", "description": "one\r\ntwo"}
    table = "name,description\n" + ",".join(f'"{cell}"' for cell in record.values())
    texts = {csv_records: table, json_records: json.dumps(record)}

    records = list(read(stream(texts[read].encode(encoding))))

    assert products(records) == [NewProduct("Čaj, 😀\u2028", "one\r\ntwo")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_read_in_both_orders_at_any_length(encoding: str) -> None:
    names = [f"😀Čaj {number}" for number in range(30_000)]

    records = from_csv("\n".join(["\ufeffname", *names]).encode(encoding))

    assert [product.name for product in products(records)] == names


@pytest.mark.parametrize("name", ["\ud83d", "Čaj"])
def test_a_character_that_is_broken_in_utf16_is_reported_with_its_line(name: str) -> None:
    contents = f"\ufeffname\nKettle\n{name}".encode("utf-16-le", errors="surrogatepass")

    records = from_csv(contents if name == "\ud83d" else contents[:-1])

    assert mistakes(records) == [(3, "name", "This is not UTF-8: save the file as UTF-8.")]


def test_in_a_file_with_carriage_returns_a_cell_keeps_its_line_feeds() -> None:
    records = from_csv('name,description\r"Kettle","one\ntwo\rthree"\rTeapot,x\r')

    assert products(records) == [NewProduct("Kettle", "one\ntwo\rthree"), NewProduct("Teapot", "x")]
    assert lines(records) == [2, 4]


def test_lines_are_counted_from_the_first_of_the_file() -> None:
    assert lines(from_csv("\nsep=;\n\nname;description\n;\nKettle;x\n")) == [6]


def test_a_packed_file_is_read_as_its_contents() -> None:
    contents = unpacked(BytesIO(gzip.compress(b"name\nKettle\n")))

    assert lines(list(csv_records(contents))) == lines(list(csv_records(contents))) == [2]
    assert unpacked(plain := BytesIO(b"name\n")) is plain


def test_unknown_columns_are_ignored_on_demand_and_named() -> None:
    records = from_csv("Name,Price,,stock\nKettle,7,x,9\n", ignore_unknown=True)

    assert records == [Record(2, NewProduct("Kettle", ""), ignored=("Price", "", "stock"))]


def test_unknown_fields_are_ignored_on_demand_and_named() -> None:
    records = from_json('{"id": 1, "name": "Kettle", "Price": 7}', ignore_unknown=True)

    assert records == [Record(1, NewProduct("Kettle", ""), ignored=("Price",))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns, with commas"),
        ("\n,\n", "must name the columns, with commas"),
        ("sep=;\n", "must name the columns, with semicolons"),
        ("description\nx\n", "must name the columns, with commas"),
        ("id;description\n1;x\n", "must name the columns, with semicolons"),
        ("name,price\nKettle,7\n", "'price' is unknown"),
        ("name,,description\nKettle,7,x\n", "'' is unknown"),
        ("name,Name\nKettle,Kettle\n", "two columns 'name'"),
        ("name,\x1b[2J\n", r"'\x1b[2J' is unknown"),
        (b"n\x00a\x00m\x00e\x00\n\x00", "This is not UTF-8: save"),
        (b"PK\x03\x04\x14\x00\x06\x00", "save it as CSV"),
        ('name,"description\nKettle,x\n', "none closes it: close it"),
        ("x" * (MAX_RECORD_BYTES + 1), "longer than 8 MiB"),
    ],
)
def test_a_header_that_does_not_name_the_columns_ends_the_file(text: str | bytes, said: str) -> None:
    (record,) = from_csv(text)

    assert said in " ".join(detail for _, _, detail in mistakes([record]))


def test_what_is_wrong_with_a_header_is_reported_with_its_line() -> None:
    assert lines(from_csv("\nsep=,\nprice\n")) == [3]


def test_a_row_has_no_more_cells_than_the_header() -> None:
    records = from_csv("name;description\nKettle;1.7 l;7\nTeapot;x\n")

    said = "The row has 3 cells, the header 2: put cells that contain semicolons in double quotes."
    assert mistakes(records) == [(2, "", said)]
    assert lines(records) == [2, 3]


def test_empty_cells_at_the_end_of_a_row_may_be_missing() -> None:
    assert from_csv("name,id,description\nKettle\n") == [Record(2, NewProduct("Kettle", ""))]


@pytest.mark.parametrize(
    ("rows", "line", "field", "said"),
    [
        ('A,x\nB,"never closed\nC,x\n', 3, "description", "none closes it: close it."),
        ('A,x\n"B" bis,x\nC,x\n', 3, "name", "Text follows the closing quote: write a quote within"),
        ('A,x\n"B, ""b""\nb","closed" too early\nC,x\n', 3, "description", "Text follows the closing quote"),
        (f"A,x\nB,{'x' * MAX_RECORD_BYTES}\nC,x\n", 3, "", "The record is longer than 8 MiB."),
        ('A,x\nB,"' + "x\n" * (MAX_RECORD_BYTES // 2) + '"\nC,x\n', 3, "description", "longer than 8 MiB."),
    ],
    ids=["never closed", "text behind", "closed too early", "long line", "long record"],
)
def test_a_record_without_a_clear_end_ends_the_file(rows: str, line: int, field: str, said: str) -> None:
    records = from_csv(f"name,description\n{rows}")

    assert lines(records) == [2, line]
    ((*place, sentence),) = mistakes(records)
    assert place == [line, field]
    assert said in sentence
    assert "The rest of the file was not read" in sentence


@pytest.mark.parametrize("size", [131_073, 2_000_000])
def test_a_long_cell_is_the_mistake_of_its_record(size: int) -> None:
    records = from_csv(f"name,description\nA,{'x' * size}\nB,x\n")

    assert mistakes(records) == [(2, "description", "String should have at most 10000 characters.")]
    assert lines(records) == [2, 3]


def test_a_carriage_return_within_a_cell_without_quotes_is_the_mistake_of_its_record() -> None:
    records = from_csv("name,description\nA,x\nB,carriage\rreturn\nC,x\n")

    said = "A line ends within a cell without quotes: put the cell in double quotes."
    assert mistakes(records) == [(3, "description", said)]
    assert lines(records) == [2, 3, 4]


@pytest.mark.parametrize("name", [b"Ket\xfftle", b"\xed\xa0\xbd"])
def test_bytes_that_are_not_utf8_are_reported_with_their_line(name: bytes) -> None:
    records = from_csv(b"name\nA\n" + name + b"\nB\n")

    assert mistakes(records) == [(3, "name", "This is not UTF-8: save the file as UTF-8.")]
    assert lines(records) == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "field"), [("Ket\0tle,x", "name"), ("Kettle,\0", "description"), (f"{'x' * 451},x", "name")]
)
def test_rows_keep_the_rules_of_the_api(text: str, field: str) -> None:
    ((line, found, _),) = mistakes(from_csv(f"name,description\n{text}\n"))

    assert (line, found) == (2, field)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Kettle", "description": "1.7 l"}\n',
        '\ufeff{"name": "Kettle", "description": "1.7 l"}\r\n',
        '\n  \n{"name": "Kettle", "description": "1.7 l"}',
        '{"id": 7, "name": "Kettle", "description": "1.7 l", "registration": "pending", "created_at": 1}\n',
    ],
)
def test_an_object_is_a_product(text: str) -> None:
    assert products(from_json(text)) == [KETTLE]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", ""),
        ('{"name": "Kettle"} {}', ""),
        ('{"name": "Kettle', ""),
        ('{"name": NaN}', ""),
        ("[" * 100_000, ""),
        ("[]", ""),
        ("7", ""),
        ("null", ""),
        ('"Kettle"', ""),
        ("{}", "name"),
        ('{"name": 7}', "name"),
        ('{"name": "\\u0000"}', "name"),
        ('{"name": "Kettle", "price": 7}', "price"),
        ('{"name": "Kettle", "description": 7}', "description"),
        ('{"name": "\\u200b"}', "name"),
    ],
)
def test_a_line_that_is_not_a_product_is_reported_and_the_next_is_read(line: str, field: str) -> None:
    records = from_json(f'{{"name": "A"}}\n{line}\n{{"name": "B"}}\n')

    assert [(number, found) for number, found, _ in mistakes(records)] == [(2, field)]
    assert lines(records) == [1, 2, 3]


def test_json_that_is_not_utf8_is_reported_with_its_place() -> None:
    records = from_json(b'{"name": "A"}\n{"name": "\xff"}\n{"name": "B"}\n')

    assert mistakes(records) == [(2, "", "This is not JSON: invalid unicode code point at column 11.")]
    assert lines(records) == [1, 2, 3]


def test_a_line_of_any_length_is_skipped_in_one_piece() -> None:
    records = from_json(b'{"name": "A"}\n' + b"x" * 3 * MAX_OBJECT_BYTES + b'\n{"name": "B"}\n')

    assert mistakes(records) == [(2, "", "The line is longer than 1 MiB: give each object its own.")]
    assert lines(records) == [1, 2, 3]


def test_a_value_that_is_no_object_is_told_what_one_is() -> None:
    assert mistakes(from_json("7")) == [(1, "", 'This is not an object such as {"name": "Kettle"}.')]


ARRAY = """
[
  {"name": "A, [1] {\\"2\\"} \\\\", "description": "x"},
  {"name": "B"}, {"name":
    "C", "id": [[1], {"2": 3}]}
]
"""


@pytest.mark.parametrize(
    "text", [ARRAY, ARRAY.replace("\n", "\r\n"), ARRAY.rstrip()[:-1] + ",\n]", f"\ufeff{ARRAY}"]
)
def test_each_object_of_an_array_is_a_product(text: str) -> None:
    records = from_json(text)

    assert [product.name for product in products(records)] == ['A, [1] {"2"} \\', "B", "C"]
    assert [(record.line, record.item) for record in records] == [(3, 1), (4, 2), (4, 3)]


class OneByteAtATime(BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(1)


def test_an_array_may_be_read_in_pieces_of_any_size() -> None:
    assert list(json_records(OneByteAtATime(ARRAY.encode()))) == from_json(ARRAY)


def test_a_long_array_is_read_whole() -> None:
    names = [f'"{number}" \\' for number in range(30_000)]

    records = from_json(json.dumps([{"name": name} for name in names]))

    assert [product.name for product in products(records)] == names


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[\n\n]\n"])
def test_an_empty_array_holds_no_products(text: str) -> None:
    assert from_json(text) == []


@pytest.mark.parametrize(
    ("item", "field", "said"),
    [
        ("7", "", 'This is not an object such as {"name": "Kettle"}.'),
        ("[{}]", "", 'This is not an object such as {"name": "Kettle"}.'),
        ("{}", "name", "Field required."),
        ('{"name": nix,\n "description": ""}', "", "This is not JSON: expected ident in line 2."),
        ("", "", "This is not JSON: EOF while parsing a value in line 2."),
        ('{"name": "' + "x" * MAX_OBJECT_BYTES + '"}', "", "The object is longer than 1 MiB."),
    ],
)
def test_an_item_that_is_not_a_product_is_reported_and_the_next_is_read(
    item: str, field: str, said: str
) -> None:
    records = from_json(f'[{{"name": "A"}},\n{item}, {{"name": "B"}}]')

    assert mistakes(records) == [(2, field, said)]
    assert [record.item for record in records] == [1, 2, 3]


@pytest.mark.parametrize(
    "text", ['[{"name": "A"},\n{"name": "B"', '[{"name": "A"},\n', '[{"name": "A"},\n"B']
)
def test_an_array_that_ends_early_is_reported(text: str) -> None:
    records = from_json(text)

    assert mistakes(records) == [(2, "", "The file ends within the array: is it complete?")]
    assert [record.item for record in records] == [1, 2]


@pytest.mark.parametrize("more", ["{}", "[]", "\\", "x" * 100_000])
def test_text_behind_an_array_is_reported(more: str) -> None:
    records = from_json(f'[{{"name": "A"}}]\n{more}\n')

    assert [said for _, _, said in mistakes(records)] == [
        "Text follows the end of the array; it was not read. Make it one array."
    ]


def test_the_longest_product_fits_a_line() -> None:
    name, description = ("\\ud83d\\ude00" * length for length in (450, 10_000))

    (product,) = products(from_json(f'{{"name": "{name}", "description": "{description}"}}'))

    assert (len(product.name), len(product.description)) == (450, 10_000)


def test_a_file_without_lines_holds_no_products() -> None:
    assert from_json("") == []


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_file_is_read_from_its_beginning(read: Reader) -> None:
    stream = BytesIO(b'name\n"{}"\n')
    stream.read()

    assert len(list(read(stream))) > 0


def test_an_import_ignores_no_field_that_can_be_set() -> None:
    assert not set(IGNORED) & {"name", "description"}
