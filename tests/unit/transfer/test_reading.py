"""Files of products: what a record is, where it begins, and what is wrong with it."""

from collections.abc import Callable
from io import BytesIO

import pytest

from productator.domain import NewProduct
from productator.transfer.reading import (
    IGNORED,
    MAX_LINE_BYTES,
    READERS,
    InvalidRecord,
    Record,
    Records,
    csv_records,
    jsonl_records,
)

KETTLE = NewProduct("Kettle", "1.7 l")


def from_csv(text: str | bytes) -> list[Record | InvalidRecord]:
    return list(csv_records(BytesIO(text if isinstance(text, bytes) else text.encode())))


def from_jsonl(text: str | bytes) -> list[Record | InvalidRecord]:
    return list(jsonl_records(BytesIO(text if isinstance(text, bytes) else text.encode())))


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns"),
        ("description\nx\n", "must name the columns"),
        ("name,price\nKettle,7\n", "'price' is unknown"),
        ("Name\nKettle\n", "'Name' is unknown"),
        ("name;description\nKettle;x\n", "'name;description' is unknown"),
        ("name,name\nKettle,Kettle\n", "two columns 'name'"),
        (b"\xff\xfen\x00a\x00m\x00e\x00", "is unknown"),
    ],
)
def test_a_header_that_does_not_name_the_columns_ends_the_file(text: str | bytes, said: str) -> None:
    records = from_csv(text)

    assert lines(records) == [1]
    assert said in " ".join(detail for _, _, detail in mistakes(records))


@pytest.mark.parametrize("row", ["Kettle", "Kettle,1.7 l,7"])
def test_a_row_has_as_many_cells_as_the_header(row: str) -> None:
    cells = row.count(",") + 1

    records = from_csv(f"name,description\n{row}\nTeapot,x\n")

    assert mistakes(records) == [(2, "", f"The row has {cells} cells, the header 2.")]
    assert lines(records) == [2, 3]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('A,x\nB,"never closed\nC,x\n', 3),
        ('A,x\nB,"closed" too early\nC,x\n', 3),
        ("A,x\nB,carriage\rreturn\nC,x\n", 3),
        (f"A,x\nB,{'x' * MAX_LINE_BYTES}\nC,x\n", 3),
        ('A,x\nB,"' + "x\n" * 100_000 + '"\nC,x\n', 3),
    ],
    ids=["never closed", "closed too early", "carriage return", "long line", "long record"],
)
def test_a_record_without_a_clear_end_ends_the_file(rows: str, line: int) -> None:
    records = from_csv(f"name,description\n{rows}")

    assert lines(records) == [2, line]
    ((found, field, said),) = mistakes(records)
    assert (found, field) == (line, "")
    assert "The rest of the file was not read" in said


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
    assert products(from_jsonl(text)) == [KETTLE]


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
        ("{}", "name"),
        ('{"name": 7}', "name"),
        ('{"name": "\\u0000"}', "name"),
        ('{"name": "Kettle", "price": 7}', "price"),
        ('{"name": "Kettle", "description": 7}', "description"),
        ('{"name": "\\u200b"}', "name"),
    ],
)
def test_a_line_that_is_not_a_product_is_reported_and_the_next_is_read(line: str, field: str) -> None:
    records = from_jsonl(f'{{"name": "A"}}\n{line}\n{{"name": "B"}}\n')

    assert [(number, found) for number, found, _ in mistakes(records)] == [(2, field)]
    assert lines(records) == [1, 2, 3]


def test_json_that_is_not_utf8_is_reported_with_its_place() -> None:
    records = from_jsonl(b'{"name": "A"}\n{"name": "\xff"}\n{"name": "B"}\n')

    assert mistakes(records) == [(2, "", "This is not JSON: invalid unicode code point at column 11.")]
    assert lines(records) == [1, 2, 3]


def test_a_line_of_any_length_is_skipped_in_one_piece() -> None:
    records = from_jsonl(b'{"name": "A"}\n' + b"x" * 3 * MAX_LINE_BYTES + b'\n{"name": "B"}\n')

    assert mistakes(records) == [(2, "", "The line is longer than 1 MiB.")]
    assert lines(records) == [1, 2, 3]


def test_the_longest_product_fits_a_line() -> None:
    name, description = ("\\ud83d\\ude00" * length for length in (450, 10_000))

    (product,) = products(from_jsonl(f'{{"name": "{name}", "description": "{description}"}}'))

    assert (len(product.name), len(product.description)) == (450, 10_000)


def test_a_file_without_lines_holds_no_products() -> None:
    assert from_jsonl("") == []


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_file_is_read_from_its_beginning(read: Callable[[BytesIO], Records]) -> None:
    stream = BytesIO(b'name\n"{}"\n')
    stream.read()

    assert len(list(read(stream))) > 0


def test_an_import_ignores_no_field_that_can_be_set() -> None:
    assert not set(IGNORED) & {"name", "description"}
