"""Writes products and changes of offers, as the API answers them, as CSV or JSON Lines."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

Row = Mapping[str, Any]


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


def write_jsonl(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:  # noqa: ARG001 - each line names its columns
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


WRITERS: dict[str, RowWriter] = {"csv": write_csv, "jsonl": write_jsonl}
