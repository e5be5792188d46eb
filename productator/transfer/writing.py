"""Products as CSV or JSON Lines, with every field that the API tells of them."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

COLUMNS = ("id", "name", "description", "registration", "created_at", "updated_at")
Product = Mapping[str, Any]


class _Encoded:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode())


def write_csv(stream: BinaryIO, products: Iterable[Product]) -> None:
    # Every text in quotes: a lone carriage return would else end the line for some readers.
    writer = csv.DictWriter(_Encoded(stream), COLUMNS, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    stream.write(",".join(COLUMNS).encode() + b"\n")
    writer.writerows(products)


def write_jsonl(stream: BinaryIO, products: Iterable[Product]) -> None:
    for product in products:
        line = json.dumps(product, ensure_ascii=False, separators=(",", ":"))
        stream.write(line.encode() + b"\n")


WRITERS: dict[str, Callable[[BinaryIO, Iterable[Product]], None]] = {"csv": write_csv, "jsonl": write_jsonl}
