"""What the API tells of products and of changes, as CSV or JSON Lines."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

CHANGE_COLUMNS = (
    *("product_id", "offer_id", "source", "external_id"),
    *("change", "price", "currency", "items_in_stock", "changed_at"),
)
Row = Mapping[str, Any]


class _Encoded:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


class RowWriter(Protocol):
    def __call__(self, stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:
        """Writes rows that have these columns."""


def write_csv(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:
    # Every text in quotes: a lone carriage return would else end the line for some readers.
    writer = csv.DictWriter(_Encoded(stream), columns, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    stream.write(",".join(columns).encode() + b"\n")
    writer.writerows(rows)


def write_jsonl(stream: BinaryIO, rows: Iterable[Row], columns: Sequence[str]) -> None:  # noqa: ARG001 - each line names its own
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


WRITERS: dict[str, RowWriter] = {"csv": write_csv, "jsonl": write_jsonl}
