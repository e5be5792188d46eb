"""Files that commands read and write: their format, and an output that is complete or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from uuid import uuid4

import click

from productator.transfer.reading import READERS
from productator.transfer.writing import WRITERS, RowWriter

STANDARD = "-"
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
format_option = click.option(
    "--format",
    "given_format",
    type=click.Choice(sorted(READERS)),
    help="The file's format, if its name does not end in .csv, .jsonl or .ndjson.",
)
output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False),
    help="The file to write. It is replaced when the output is complete. [default: standard output]",
)


def format_of(file: str, given: str | None) -> str:
    found = given or _FORMATS.get(Path(file).suffix.lower())
    if found is None:
        raise click.UsageError(f"The format of {file!r} does not follow from its name: give --format.")
    return found


def writer(output: str | None, given_format: str | None) -> RowWriter:
    """For the given format, else that of the output's name; CSV on standard output."""
    return WRITERS[format_of(output, given_format) if output else given_format or "csv"]


@contextmanager
def opened_output(output: str | None) -> Iterator[BinaryIO]:
    # A pipe or a device must not be replaced by a file.
    if output is None or (Path(output).exists() and not Path(output).is_file()):
        with click.open_file(output or STANDARD, "wb") as stream:
            yield cast("BinaryIO", stream)
    else:
        with _replacement(Path(output).resolve()) as new:
            yield new


@contextmanager
def _replacement(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when it is complete; after a failure, `path` is as it was."""
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with new.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as error:
        raise click.FileError(str(path), error.strerror) from error
    finally:
        new.unlink(missing_ok=True)
