"""Writes products and changes of offers, as the API answers them, as CSV or JSON Lines."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

COLUMNS = ("id", "name", "description", "registration", "created_at", "updated_at")
Row = Mapping[str, Any]


class _Encoded:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


class Writer(Protocol):
    def __call__(self, stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> None:
        """Writes rows that have these columns."""


def write_csv(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> None:
    # Every text in quotes: a lone carriage return would else end the line for some readers.
    writer = csv.DictWriter(_Encoded(stream), columns, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    stream.write(",".join(columns).encode() + b"\n")
    writer.writerows(rows)


def write_jsonl(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> None:  # noqa: ARG001 - each line names its own
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


WRITERS: dict[str, Writer] = {"csv": write_csv, "jsonl": write_jsonl}
