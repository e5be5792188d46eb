"""Writes products and changes of offers, as the API answers them, as CSV or JSON."""

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

Row = Mapping[str, Any]
# What a cell begins with that spreadsheets calculate, in East Asian width too; and what ends a cell for some.
_FORMULA_SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_BREAKS = ("\t", "\r", "\n")


class _Utf8Writer:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


class RowWriter(Protocol):
    def __call__(self, stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Writes rows, which have these columns."""


def write_csv(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:
    # All texts are quoted: for some readers a lone carriage return would end the line.
    writer = csv.DictWriter(_Utf8Writer(stream), columns, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    stream.write(",".join(columns).encode() + b"\n")
    writer.writerows(rows)


def write_excel(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """CSV for a spreadsheet: it recognises the encoding, and takes no cell for a formula."""
    stream.write(BOM_UTF8)
    write_csv(
        stream, ({name: _harmless(value) for name, value in row.items()} for row in rows), columns=columns
    )


def _harmless(value: object) -> object:
    """An apostrophe before a text that a spreadsheet would calculate."""
    is_formula = isinstance(value, str) and (value[:1] in _BREAKS or value.lstrip()[:1] in _FORMULA_SIGNS)
    return f"'{value}" if is_formula else value


def write_json(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:  # noqa: ARG001 - each object names its columns
    separator = b"[\n"
    for row in rows:
        stream.write(separator + _json(row))
        separator = b",\n"
    stream.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_jsonl(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:  # noqa: ARG001 - each line names its columns
    for row in rows:
        line = _json(row) + b"\n"
        stream.write(line)


def _json(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


WRITERS: dict[str, RowWriter] = {"csv": write_csv, "json": write_json, "jsonl": write_jsonl}
