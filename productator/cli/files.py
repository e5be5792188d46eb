"""Files that commands read and write: their format, and an output that is complete or absent."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

import click

from productator.transfer.reading import READERS
from productator.transfer.writing import WRITERS, RowWriter

STANDARD = "-"
_FORMATS = {".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
# The separator of a file that is read is recognised.
_READABLE = _FORMATS | {".tsv": "csv"}
_PACKED = ".gz"
format_option = click.option(
    "--format",
    "given_format",
    type=click.Choice(sorted(READERS)),
    help="The file's format, if its name does not end in .csv, .json, .jsonl or .ndjson (or that and .gz).",
)
output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False),
    help="The file to write. It is replaced when the output is complete. [default: standard output]",
)


def input_format(file: str, given: str | None) -> str:
    """The given format, else that of the file's name."""
    return given or _format_of(file, _READABLE)


def output_format(output: str | None, given: str | None) -> str:
    """The given format, else that of the output's name; CSV on standard output."""
    return given or (_format_of(output, _FORMATS) if output else "csv")


def _format_of(file: str, formats: Mapping[str, str]) -> str:
    name = Path(file.lower())
    suffix = (name.with_suffix("") if name.suffix == _PACKED else name).suffix
    if suffix not in formats:
        raise click.UsageError(f"The format of {file!r} does not follow from its name: give --format.")
    return formats[suffix]


def writer(output: str | None, given_format: str | None) -> RowWriter:
    return WRITERS[output_format(output, given_format)]


@contextmanager
def opened_output(output: str | None) -> Iterator[BinaryIO]:
    # A pipe or a device must not be replaced by a file.
    if output is None or (Path(output).exists() and not Path(output).is_file()):
        with click.open_file(output or STANDARD, "wb") as stream:
            yield cast("BinaryIO", stream)
    else:
        with _replacement(Path(output).resolve()) as new:
            if output.lower().endswith(_PACKED):
                # Without the time, so that equal contents are equal files.
                with GzipFile(filename="", fileobj=new, mode="wb", mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield new


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when it is complete; after a failure, `path` is as it was."""
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        _create(new, like=path)
        with new.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
    finally:
        new.unlink(missing_ok=True)


def _create(new: Path, *, like: Path) -> None:
    """An empty file, for the same users as the other if that exists."""
    if not like.exists():
        new.touch(exist_ok=False)
        return
    new.touch(mode=0o600, exist_ok=False)
    new.chmod(stat.S_IMODE(like.stat().st_mode))
