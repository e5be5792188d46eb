"""Reads products from CSV as spreadsheets write it, with one record in memory at a time."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import chain

from productator.transfer.lines import lines
from productator.transfer.records import (
    FIELDS,
    IGNORED,
    NOT_UTF8,
    InvalidRecord,
    Record,
    Records,
    check_product,
)

# Longer ones are no products, and mostly lack a closing quote.
MAX_RECORD_BYTES = 8 * 1024 * 1024
_SEPARATORS = ",;\t"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
# A spreadsheet's first line, perhaps in quotes: sep=;
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\w\r\n])"?', re.IGNORECASE)
_ZIP = "PK\x03\x04"
_REST = "The rest of the file was not read."
# What the csv module says, by how it begins, and what a user is advised to do.
_MISTAKES = {
    "new-line": "A line ends within a cell without quotes: put the cell in double quotes.",
    "unexpected end": f"A double quote opens the cell, and none closes it: close it. {_REST}",
    "'": f"Text follows the closing quote: write a quote within a cell twice. {_REST}",
}


class _RecordTooLong(csv.Error):
    def __init__(self) -> None:
        super().__init__(f"The record is longer than 8 MiB. Does it lack a closing quote? {_REST}")


class _Texts(Iterator[str]):
    """The lines as texts. It counts them, and keeps those of the record that is being read."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._lines = lines(stream, most_bytes=MAX_RECORD_BYTES)
        self._left = MAX_RECORD_BYTES
        self.count = 0
        self.record: list[str] = []

    def begin_record(self) -> int:
        """The line on which the record begins."""
        self._left = MAX_RECORD_BYTES
        self.record.clear()
        return self.count + 1

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        self._left -= len(line)
        if self._left < 0:
            raise _RecordTooLong
        # The message about bytes that are not UTF-8 names their field, which is known later.
        text = line.decode(errors="surrogateescape")
        self.record.append(text)
        return text


@dataclass(frozen=True)
class _Header:
    separator: str
    # As they stand in the file, without blanks around; the columns at the end that have no name are left out.
    names: list[str]

    @property
    def separators(self) -> str:
        return _NAMES.get(self.separator, repr(self.separator))

    @property
    def fields(self) -> list[str]:
        return [name.casefold() for name in self.names]

    @property
    def unknown(self) -> list[str]:
        return [name for name in self.names if name.casefold() not in FIELDS + IGNORED]

    def mistakes(self, *, ignore_unknown: bool) -> list[tuple[str, str]]:
        unknown = [] if ignore_unknown else self.unknown
        errors = [
            f"The column {name!r} is unknown: rename or remove it, or ignore it with --ignore-unknown."
            for name in unknown
        ]
        errors += [
            f"There are two columns {name!r}: remove one." for name in FIELDS if self.fields.count(name) > 1
        ]
        if "name" not in self.fields:
            errors.append(
                f"The first line must name the columns, with {self.separators} between them:"
                f" name{self.separator}description."
            )
        return [("", error) for error in errors]


def csv_records(stream: BufferedIOBase, *, ignore_unknown: bool = False) -> Records:
    """Stops at the first record without a clear end: where the next one begins is unknown."""
    # It holds for the process. `_Texts` bounds whole records, so that no cell reaches it.
    csv.field_size_limit(MAX_RECORD_BYTES)
    texts = _Texts(stream)
    try:
        first, separator = _first_line(texts)
        begin = max(texts.count, 1)
        if mistake := _mistaken_file(first):
            yield InvalidRecord(begin, [("", mistake)])
            return
        separator = separator or _separator(first)
        rows = csv.reader(chain([first], texts), delimiter=separator, strict=True)
        header = _header(next(rows, []), separator)
    except csv.Error as error:
        yield InvalidRecord(max(texts.count, 1), [("", _mistake(error))])
        return
    if mistakes := header.mistakes(ignore_unknown=ignore_unknown):
        yield InvalidRecord(begin, mistakes)
        return
    yield from _records(rows, texts, header)


def _first_line(texts: _Texts) -> tuple[str, str | None]:
    """The line that names the columns ("" if there is none), and the separator if a line before gives it."""
    separator = None
    for text in texts:
        found = _SEPARATOR_LINE.fullmatch(text.rstrip("\r\n"))
        if found and separator is None:
            separator = found[1]
        elif text.strip(f"{_SEPARATORS} \r\n"):
            return text, separator
    return "", separator


def _mistaken_file(first_line: str) -> str | None:
    if first_line.startswith(_ZIP):
        return "This is a spreadsheet's own format or a ZIP file: save it as CSV in UTF-8."
    return NOT_UTF8 if "\0" in first_line else None


def _separator(header: str) -> str:
    """The one that makes a column `name`, else the most frequent one."""
    for each in _SEPARATORS:
        cells = next(csv.reader([header], delimiter=each), [])
        if "name" in (cell.strip().casefold() for cell in cells):
            return each
    return max(_SEPARATORS, key=header.count)


def _header(cells: list[str], separator: str) -> _Header:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    return _Header(separator, names)


def _records(rows: Iterator[list[str]], texts: _Texts, header: _Header) -> Records:
    fields, ignored, separators = header.fields, tuple(header.unknown), header.separators
    while True:
        begin = texts.begin_record()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            mistake = _mistake(error)
            yield InvalidRecord(begin, [(_cell_at_fault(texts.record, header), mistake)])
            if mistake.endswith(_REST):
                return
            continue
        # A row of empty cells is a blank one.
        if any(row):
            yield _row(begin, row, fields, ignored, separators)


def _row(
    line: int, row: list[str], fields: list[str], ignored: tuple[str, ...], separators: str
) -> Record | InvalidRecord:
    """Empty cells may be missing at the end of a row, or follow the last column."""
    if any(row[len(fields) :]):
        advice = f"put cells that contain {separators} in double quotes"
        mistake = f"The row has {len(row)} cells, the header {len(fields)}: {advice}."
        return InvalidRecord(line, [("", mistake)])
    product = {field: cell for field, cell in zip(fields, row, strict=False) if field in FIELDS}
    errors = [(name, NOT_UTF8) for name, cell in product.items() if not _is_unicode(cell)]
    return InvalidRecord(line, errors) if errors else check_product(line, product, ignored=ignored)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not re.search("[\ud800-\udfff]", text)


def _mistake(error: csv.Error) -> str:
    if isinstance(error, _RecordTooLong):
        return str(error)
    found = (mistake for start, mistake in _MISTAKES.items() if str(error).startswith(start))
    return next(found, f"This is not CSV: {error}. {_REST}")


def _cell_at_fault(record: list[str], header: _Header) -> str:
    """The column of the first cell without a clear end; "": it is in none."""
    separator = re.escape(header.separator)
    cell = re.compile(rf'(?:"(?:[^"]|"")*"|(?:[^"\r\n{separator}][^\r\n{separator}]*)?){separator}')
    text, position, number = "".join(record), 0, 0
    if not text:  # the line is too long to be kept
        return ""
    while found := cell.match(text, position):
        position, number = found.end(), number + 1
    return header.names[number] if number < len(header.names) else ""
