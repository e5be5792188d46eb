"""Files that commands read and write: their formats, and an output that is complete or not there."""

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
formatted = click.option(
    "--format",
    "given_format",
    type=click.Choice(sorted(READERS)),
    help="What the file holds, if its name does not tell.",
)
output_option = click.option(
    "--output", type=click.Path(dir_okay=False), help="A file, replaced when all is written."
)


def format_of(file: str, given: str | None) -> str:
    found = given or _FORMATS.get(Path(file).suffix.lower())
    if found is None:
        raise click.UsageError(f"The name {file!r} tells no format: give --format.")
    return found


def writer(output: str | None, given_format: str | None) -> RowWriter:
    """CSV, unless the name of the output or the user says otherwise."""
    return WRITERS[format_of(output, given_format) if output else given_format or "csv"]


@contextmanager
def written_to(output: str | None) -> Iterator[BinaryIO]:
    # What is no file, such as a pipe, cannot be replaced by one.
    if output is None or (Path(output).exists() and not Path(output).is_file()):
        with click.open_file(output or STANDARD, "wb") as stream:
            yield cast("BinaryIO", stream)
    else:
        with _replaced(Path(output).resolve()) as new:
            yield new


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` when it is complete; if it never is, `path` stays as it was."""
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
