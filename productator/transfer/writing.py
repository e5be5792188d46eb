"""Rows as CSV or JSON Lines."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol


class _EncodedStream:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


class RowWriter(Protocol):
    def __call__(self, stream: BinaryIO, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Writes rows that have these columns."""


def write_csv(stream: BinaryIO, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    # All texts are quoted: some readers would end the line at a lone carriage return.
    writer = csv.DictWriter(
        _EncodedStream(stream), columns, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"
    )
    stream.write(",".join(columns).encode() + b"\n")
    writer.writerows(rows)


def write_jsonl(stream: BinaryIO, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:  # noqa: ARG001 - each line names its own
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


WRITERS: dict[str, RowWriter] = {"csv": write_csv, "jsonl": write_jsonl}
