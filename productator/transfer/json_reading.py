"""Reads products from JSON: one object a line, or an array of objects. One record is in memory at a time."""

import re
from collections.abc import Iterator
from io import BufferedIOBase

from pydantic_core import from_json

from productator.transfer.lines import chunks, lines
from productator.transfer.records import FIELDS, IGNORED, InvalidRecord, Record, Records, check_product

# Far more than the longest product takes with any escaping.
MAX_OBJECT_BYTES = 1024 * 1024
_BLANKS = b" \t\r\n"
_OPENING, _CLOSING = {b"[", b"{"}, {b"]", b"}"}
_PLACE = re.compile(r" at line (\d+) column (\d+)$")
# What decides where an item of an array ends; an escaped character decides nothing.
_MARKS = re.compile(rb'\\.|["\[\]{},\n]', re.DOTALL)


class _BrokenArray(Exception):
    """An array without a clear end, or with something behind it."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


def json_records(stream: BufferedIOBase, *, ignore_unknown: bool = False) -> Records:
    if _is_array(stream):
        return _records_of_array(stream, ignore_unknown=ignore_unknown)
    return _records_of_lines(stream, ignore_unknown=ignore_unknown)


def _is_array(stream: BufferedIOBase) -> bool:
    for chunk in chunks(stream):
        if text := chunk.lstrip(_BLANKS):
            return text.startswith(b"[")
    return False


def _records_of_lines(stream: BufferedIOBase, *, ignore_unknown: bool) -> Records:
    for number, line in enumerate(lines(stream, most_bytes=MAX_OBJECT_BYTES), start=1):
        if len(line) > MAX_OBJECT_BYTES:
            yield InvalidRecord(number, [("", "The line is longer than 1 MiB: give each object its own.")])
        elif line.strip():
            yield _object(number, line, ignore_unknown=ignore_unknown)


def _records_of_array(stream: BufferedIOBase, *, ignore_unknown: bool) -> Records:
    number = 0
    try:
        for number, (line, text) in enumerate(_items(chunks(stream)), start=1):
            if len(text) > MAX_OBJECT_BYTES:
                yield InvalidRecord(line, [("", "The object is longer than 1 MiB.")], number)
            else:
                yield _object(line, text, item=number, ignore_unknown=ignore_unknown)
    except _BrokenArray as error:
        yield InvalidRecord(error.line, [("", str(error))], number + 1)


def _items(contents: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """The text of each item of an array, and the line it begins on, whether or not it is JSON.

    An item that is too long is cut above the limit.
    """
    item, carried, in_string, depth, line, begin = bytearray(), b"", False, 0, 1, 1
    for read in contents:
        # A backslash and the character behind it must not be parted.
        chunk = (carried + read).rstrip(b"\\")
        carried = (carried + read)[len(chunk) :]
        start = 0
        for found in _MARKS.finditer(chunk):
            mark = found[0]
            if mark == b"\n":
                line += 1
            elif mark == b'"':
                in_string = not in_string
            elif not in_string:
                depth += (mark in _OPENING) - (mark in _CLOSING)
                if mark in _OPENING and depth == 1:
                    item.clear()
                    start, begin = found.end(), line
                elif depth == 0 or (depth == 1 and mark == b","):
                    item += chunk[start : found.start()]
                    # The last item may be followed by a comma.
                    if depth or item.strip(_BLANKS):
                        yield _located(item, begin)
                    if depth == 0:
                        _refuse_more(line, chunk[found.end() :] + carried, contents)
                        return
                    item.clear()
                    start, begin = found.end(), line
        item += chunk[start:]
        del item[MAX_OBJECT_BYTES + 1 :]
    raise _BrokenArray(line, "The file ends within the array: is it complete?")


def _located(item: bytearray, begin: int) -> tuple[int, bytes]:
    text = item.lstrip(_BLANKS)
    return begin + item[: len(item) - len(text)].count(b"\n"), bytes(text.rstrip(_BLANKS))


def _refuse_more(line: int, rest: bytes, contents: Iterator[bytes]) -> None:
    if rest.strip(_BLANKS) or any(chunk.strip(_BLANKS) for chunk in contents):
        raise _BrokenArray(line, "Text follows the end of the array; it was not read. Make it one array.")


def _object(line: int, text: bytes, *, item: int = 0, ignore_unknown: bool) -> Record | InvalidRecord:
    try:
        value = from_json(text.rstrip(_BLANKS), allow_inf_nan=False)
    except ValueError as error:
        return InvalidRecord(line, [("", f"This is not JSON: {_reason(error, line, item)}.")], item)
    if not isinstance(value, dict):
        return InvalidRecord(line, [("", 'This is not an object such as {"name": "Kettle"}.')], item)
    is_unknown = (name for name in value if name not in FIELDS + IGNORED)
    unknown = tuple(is_unknown) if ignore_unknown else ()
    fields = {name: each for name, each in value.items() if name not in IGNORED and name not in unknown}
    return check_product(line, fields, item=item, ignored=unknown)


def _reason(error: ValueError, line: int, item: int) -> str:
    """Names the place in the file: the column is known where the text is a whole line."""
    return _PLACE.sub(
        lambda place: f" in line {line + int(place[1]) - 1}" if item else f" at column {place[2]}", str(error)
    )
