"""The formats that products are read from."""

from io import BufferedIOBase
from typing import Protocol

from productator.transfer.csv_reading import csv_records
from productator.transfer.json_reading import json_records
from productator.transfer.records import Records


class Reader(Protocol):
    def __call__(self, stream: BufferedIOBase, *, ignore_unknown: bool = ...) -> Records:
        """The records from the beginning of the file; it keeps one of them in memory."""


READERS: dict[str, Reader] = {"csv": csv_records, "json": json_records, "jsonl": json_records}
