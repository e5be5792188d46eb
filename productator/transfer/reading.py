"""Reads products from CSV or JSON Lines, with one record in memory at a time."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase

from pydantic import ValidationError
from pydantic_core import from_json

from productator.catalogue.validation import ProductIn, wrong_fields
from productator.domain import NewProduct

# Far more than the longest product takes with any escaping.
MAX_LINE_BYTES = 1024 * 1024
# Fields of an export that cannot be set; an import ignores them.
IGNORED = ("id", "registration", "created_at", "updated_at")
_COLUMNS = ("name", "description")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    # The line of the file on which the record begins, from 1.
    line: int
    product: NewProduct


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """A record that is not a product: for each mistake the field (or "") and a sentence."""

    line: int
    errors: list[tuple[str, str]]


Records = Iterator[Record | InvalidRecord]


def csv_records(stream: BufferedIOBase) -> Records:
    """Stops at the first record without a clear end: where the next one begins is unknown."""
    rows = csv.reader(_texts(stream), strict=True)
    begin = 1
    try:
        header = next(rows, [])
        errors = _wrong_columns(header)
        if errors:
            yield InvalidRecord(begin, errors)
            return
        begin = rows.line_num + 1
        for row in rows:
            if row:
                yield _row(begin, header, row)
            begin = rows.line_num + 1
    except csv.Error as error:
        yield InvalidRecord(begin, [("", f"This is not CSV: {error}. The rest of the file was not read.")])


def _texts(stream: BufferedIOBase) -> Iterator[str]:
    for line in _lines(stream):
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error("a line is longer than 1 MiB")
        # The message about bytes that are not UTF-8 names their field, which is known later.
        yield line.decode(errors="surrogateescape")


def _wrong_columns(header: list[str]) -> list[tuple[str, str]]:
    unknown = [name for name in header if name not in _COLUMNS + IGNORED]
    twice = [name for name in _COLUMNS if header.count(name) > 1]
    errors = [f"The column {name!r} is unknown: rename or remove it." for name in unknown]
    errors += [f"There are two columns {name!r}: remove one." for name in twice]
    if "name" not in header:
        errors.append("The first line must name the columns, with commas between them: name, description.")
    return [("", error) for error in errors]


def _row(line: int, header: list[str], row: list[str]) -> Record | InvalidRecord:
    if len(row) != len(header):
        return InvalidRecord(line, [("", f"The row has {len(row)} cells, the header {len(header)}.")])
    product = {name: cell for name, cell in zip(header, row, strict=True) if name in _COLUMNS}
    errors = [
        (name, "This is not UTF-8: save the file as UTF-8.")
        for name, cell in product.items()
        if not _is_unicode(cell)
    ]
    return InvalidRecord(line, errors) if errors else _checked(line, product)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not re.search("[\ud800-\udfff]", text)


def jsonl_records(stream: BufferedIOBase) -> Records:
    for number, line in enumerate(_lines(stream), start=1):
        if len(line) > MAX_LINE_BYTES:
            yield InvalidRecord(number, [("", "The line is longer than 1 MiB.")])
        elif line.strip():
            yield _object(number, line)


def _object(line: int, text: bytes) -> Record | InvalidRecord:
    try:
        value = from_json(text.rstrip(b"\r\n"), allow_inf_nan=False)
    except ValueError as error:
        return InvalidRecord(
            line, [("", f"This is not JSON: {str(error).replace('at line 1 column', 'at column')}.")]
        )
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if name not in IGNORED}
    return _checked(line, value)


def _checked(line: int, value: object) -> Record | InvalidRecord:
    try:
        return Record(line, ProductIn.model_validate(value).new_product())
    except ValidationError as error:
        found = wrong_fields(error)
        return InvalidRecord(line, [(".".join(map(str, location)), detail) for location, detail in found])


def _lines(stream: BufferedIOBase) -> Iterator[bytes]:
    """The lines from the beginning; a line that is too long is cut one byte above the limit."""
    stream.seek(0)
    if stream.read(len(_BOM)) != _BOM:
        stream.seek(0)
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)


READERS: dict[str, Callable[[BufferedIOBase], Records]] = {"csv": csv_records, "jsonl": jsonl_records}
