"""The lines of a file as UTF-8, in whatever form the file was saved."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from gzip import GzipFile
from io import BufferedIOBase, BufferedReader, RawIOBase
from typing import Any

_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 64 * 1024


def unpacked(stream: BufferedIOBase) -> BufferedIOBase:
    """The contents of a gzip file; another file as it is."""
    stream.seek(0)
    is_packed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    return GzipFile(fileobj=stream, mode="rb") if is_packed else stream


def chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    """The file from its beginning, as UTF-8 without a byte order mark."""
    contents = _utf8(stream)
    while chunk := contents.read(_CHUNK_BYTES):
        yield chunk


def lines(stream: BufferedIOBase, *, most_bytes: int) -> Iterator[bytes]:
    """The lines with their ends; a line that is longer than `most_bytes` is cut one byte above that."""
    end, rest, is_cut = b"", b"", False
    for chunk in chunks(stream):
        end = end or _line_end(chunk)
        *complete, rest = (rest + chunk).split(end)
        for line in complete:
            if not is_cut:
                yield (line + end)[: most_bytes + 1]
            is_cut = False
        if len(rest) > most_bytes:
            if not is_cut:
                yield rest[: most_bytes + 1]
            rest, is_cut = b"", True
    if rest and not is_cut:
        yield rest


def _line_end(beginning: bytes) -> bytes:
    """A carriage return where it ends the first line alone, else a line feed (perhaps after a return)."""
    first = re.search(rb"\r\n|\r|\n", beginning)
    return b"\r" if first and first[0] == b"\r" else b"\n"


def _utf8(stream: BufferedIOBase) -> BufferedIOBase:
    stream.seek(0)
    beginning = stream.read(len(BOM_UTF8))
    if beginning == BOM_UTF8:
        return stream
    stream.seek(0)
    is_utf16 = beginning.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return BufferedReader(_Utf16AsUtf8(stream)) if is_utf16 else stream


class _Utf16AsUtf8(RawIOBase):
    """Text in UTF-16 with a byte order mark, read as UTF-8; what is not UTF-16 becomes what is not UTF-8."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._decoder = getincrementaldecoder("utf-16")("surrogatepass")
        self._ready = b""
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (self._ready or self._is_at_end):
            chunk = self._stream.read(_CHUNK_BYTES)
            self._is_at_end = not chunk
            half_a_character, _ = self._decoder.getstate()
            if self._is_at_end and half_a_character:
                self._ready = b"\xff"
            else:
                self._ready = self._decoder.decode(chunk).encode(errors="surrogatepass")
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size
