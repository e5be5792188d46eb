"""Products in CSV or JSON Lines, one by one: whatever the file's size, one record is held at a time."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase

from pydantic import ValidationError
from pydantic_core import from_json

from productator.catalogue.validation import ProductIn, wrong_fields
from productator.domain import NewProduct

# Far more than the longest product takes, however it is escaped.
MAX_LINE_BYTES = 1024 * 1024
# What an export tells beside; nobody can set it, so that an import reads over it.
IGNORED = ("id", "registration", "created_at", "updated_at")
_COLUMNS = ("name", "description")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    # The line of the file on which it begins, from 1.
    line: int
    draft: NewProduct


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is no product: for each mistake the field (or "") and a sentence."""

    line: int
    errors: list[tuple[str, str]]


Records = Iterator[Record | Refused]


def csv_records(stream: BufferedIOBase) -> Records:
    """Ends with the first record whose end cannot be told: nobody knows where the next one begins."""
    rows = csv.reader(_texts(stream), strict=True)
    begin = 1
    try:
        header = next(rows, [])
        errors = _wrong_columns(header)
        if errors:
            yield Refused(begin, errors)
            return
        begin = rows.line_num + 1
        for row in rows:
            if row:
                yield _row(begin, header, row)
            begin = rows.line_num + 1
    except csv.Error as error:
        yield Refused(begin, [("", f"This is not CSV: {error}; nothing from here on was read.")])


def _texts(stream: BufferedIOBase) -> Iterator[str]:
    for line in _lines(stream):
        if len(line) > MAX_LINE_BYTES:
            raise csv.Error("a line is longer than 1 MiB")
        # What is not UTF-8 is told when its field is known.
        yield line.decode(errors="surrogateescape")


def _wrong_columns(header: list[str]) -> list[tuple[str, str]]:
    errors = [("", f"The column {name!r} is not known.") for name in header if name not in _COLUMNS + IGNORED]
    errors += [("", f"There are two columns {name!r}.") for name in _COLUMNS if header.count(name) > 1]
    if "name" not in header:
        errors.append(("", "The first line must name the columns: name, and description if there is one."))
    return errors


def _row(line: int, header: list[str], row: list[str]) -> Record | Refused:
    if len(row) != len(header):
        return Refused(line, [("", f"There are {len(row)} cells below {len(header)} columns.")])
    product = {name: cell for name, cell in zip(header, row, strict=True) if name in _COLUMNS}
    errors = [(name, "This is not UTF-8.") for name, cell in product.items() if not _is_unicode(cell)]
    return Refused(line, errors) if errors else _checked(line, product)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not re.search("[\ud800-\udfff]", text)


def jsonl_records(stream: BufferedIOBase) -> Records:
    for number, line in enumerate(_lines(stream), start=1):
        if len(line) > MAX_LINE_BYTES:
            yield Refused(number, [("", "The line is longer than 1 MiB.")])
        elif line.strip():
            yield _object(number, line)


def _object(line: int, text: bytes) -> Record | Refused:
    try:
        value = from_json(text.rstrip(b"\r\n"), allow_inf_nan=False)
    except ValueError as error:
        return Refused(
            line, [("", f"This is not JSON: {str(error).replace('at line 1 column', 'at column')}.")]
        )
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if name not in IGNORED}
    return _checked(line, value)


def _checked(line: int, value: object) -> Record | Refused:
    try:
        return Record(line, ProductIn.model_validate(value).new_product())
    except ValidationError as error:
        found = wrong_fields(error)
        return Refused(line, [(".".join(map(str, location)), detail) for location, detail in found])


def _lines(stream: BufferedIOBase) -> Iterator[bytes]:
    """The lines from the beginning; of one that is too long, no more than tells so."""
    stream.seek(0)
    if stream.read(len(_BOM)) != _BOM:
        stream.seek(0)
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)


READERS: dict[str, Callable[[BufferedIOBase], Records]] = {"csv": csv_records, "jsonl": jsonl_records}
