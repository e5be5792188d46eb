"""`productator products`: imports products from a file, exports products and their history to one."""

import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from gzip import BadGzipFile
from io import BufferedIOBase
from typing import cast

import click
from sqlalchemy.orm import sessionmaker

from productator.api.conventions.time_ranges import moment
from productator.api.schemas.answers import ProductJson, product_json
from productator.api.schemas.price_json import change_json
from productator.api.schemas.prices import OfferChangeJson
from productator.catalogue import products as catalogue
from productator.cli.files import (
    STANDARD,
    format_option,
    input_format,
    opened_output,
    output_format,
    output_option,
    writer,
)
from productator.cli.plain_errors import with_plain_errors
from productator.cli.settings import load_settings
from productator.database.engine import make_engine, snapshot
from productator.domain import MAX_ID
from productator.prices import offer_history
from productator.prices.offer_history import Span
from productator.transfer import importing
from productator.transfer.lines import unpacked
from productator.transfer.reading import READERS
from productator.transfer.records import InvalidRecord, Record, Records
from productator.transfer.writing import write_excel

_MOST_SHOWN = 100
_MOST_IGNORED_SHOWN = 20
_Read = Callable[[BufferedIOBase], Records]


@dataclass
class _Checked:
    """What is in a file."""

    valid: int = 0
    invalid: int = 0
    ignored: set[str] = field(default_factory=set)


@click.group()
def products() -> None:
    """Imports and exports products."""


@products.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@format_option
@click.option("--dry-run", is_flag=True, help="Only check the file, without the database.")
@click.option("--skip-invalid", is_flag=True, help="Import the valid records although others are invalid.")
@click.option("--ignore-unknown", is_flag=True, help="Ignore columns and fields that products do not have.")
@with_plain_errors
def import_(
    file: str, given_format: str | None, *, dry_run: bool, skip_invalid: bool, ignore_unknown: bool
) -> None:
    """Creates a product for each record of FILE (CSV or JSON, perhaps gzipped; - is the standard input).

    The whole file is checked first. If a record is invalid, nothing is imported (see --skip-invalid), and the
    exit code is 1. Run an interrupted import again with the same file: it continues, and imports no record
    twice.
    """
    name = "standard input" if file == STANDARD else file
    read = partial(READERS[input_format(file, given_format)], ignore_unknown=ignore_unknown)
    with _opened(file) as stream:
        checked = _check(stream, read, name)
        ignored = _about_ignored(checked.ignored)
        if dry_run:
            click.echo(f"{name}: {checked.valid} valid, {checked.invalid} invalid; none imported.{ignored}")
        elif checked.invalid and not skip_invalid:
            click.echo(
                f"{name}: {checked.valid} valid, {checked.invalid} invalid; none imported.{ignored}"
                " Fix the file and run it again, or import the valid records with --skip-invalid."
            )
        else:
            created, existing = _import(stream, read)
            click.echo(
                f"{name}: {created} imported, {existing} already there, {checked.invalid} invalid.{ignored}"
            )
    if checked.invalid:
        sys.exit(1)


@contextmanager
def _opened(file: str) -> Iterator[BufferedIOBase]:
    """The contents of the file, readable more than once: a pipe is copied to a temporary file."""
    with click.open_file(file, "rb") as given:
        stream = cast("BufferedIOBase", given)
        try:
            if file != STANDARD and stream.seekable():
                yield unpacked(stream)
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stream, copy)
                yield unpacked(cast("BufferedIOBase", copy))
        except (BadGzipFile, EOFError, zlib.error) as error:
            raise click.ClickException(
                f"{file}: the gzip file is damaged or incomplete ({error}): get it again."
            ) from error


def _check(stream: BufferedIOBase, read: _Read, name: str) -> _Checked:
    """Shows what is wrong with the file."""
    checked = _Checked()
    shown: list[InvalidRecord] = []
    with _progress("Checking", stream) as advance:
        for number, record in enumerate(read(stream)):
            if isinstance(record, Record):
                checked.valid += 1
                checked.ignored.update(record.ignored)
            else:
                checked.invalid += 1
                shown += [record] if checked.invalid <= _MOST_SHOWN else []
            if number % 1_000 == 0:
                advance()
    # Only now: the progress bar would overwrite them.
    for record in shown:
        _show(name, record)
    if checked.invalid > _MOST_SHOWN:
        click.echo(f"{name}: {checked.invalid - _MOST_SHOWN} more invalid records.", err=True)
    return checked


def _about_ignored(names: Collection[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(map(_printable, sorted(names)[:_MOST_IGNORED_SHOWN]))
    more = f" and {len(names) - _MOST_IGNORED_SHOWN} more" if len(names) > _MOST_IGNORED_SHOWN else ""
    return f" Ignored: {shown}{more}."


def _printable(name: str) -> str:
    """A name comes from the file, and must not control the terminal."""
    return name if name.isprintable() and name else repr(name)


def _show(name: str, record: InvalidRecord) -> None:
    item = f" item {record.item}:" if record.item else ""
    for field_name, detail in record.errors[:_MOST_SHOWN]:
        in_field = f" {_printable(field_name)}:" if field_name else ""
        click.echo(f"{name}:{record.line}:{item}{in_field} {detail}", err=True)


def _import(stream: BufferedIOBase, read: _Read) -> tuple[int, int]:
    engine = make_engine(load_settings().database_url)
    file_digest = importing.digest(stream)
    with _progress("Importing", stream) as advance:
        records = (record for record in read(stream) if isinstance(record, Record))
        return importing.import_records(
            sessionmaker(engine), records, file_digest=file_digest, on_commit=advance
        )


@contextmanager
def _progress(label: str, stream: BufferedIOBase) -> Iterator[Callable[[], None]]:
    """A progress bar of the bytes read, on a terminal only."""
    if not sys.stderr.isatty():
        # To find the end of a gzip file takes as long as to read it.
        yield lambda: None
        return
    size = stream.seek(0, os.SEEK_END)
    with click.progressbar(length=size, label=label, file=sys.stderr) as bar:
        yield lambda: bar.update(stream.tell() - bar.pos)
        bar.update(size - bar.pos)


@products.command()
@format_option
@output_option
@click.option("--excel", is_flag=True, help="Write CSV for spreadsheets, which take no cell for a formula.")
@with_plain_errors
def export(given_format: str | None, output: str | None, *, excel: bool) -> None:
    """Writes all products, as of one moment, as CSV or JSON.

    The file can be imported again, except with --excel: that puts an apostrophe before texts that a
    spreadsheet would calculate.
    """
    if excel and output_format(output, given_format) != "csv":
        raise click.UsageError("--excel writes CSV.")
    write = write_excel if excel else writer(output, given_format)
    with snapshot(load_settings().database_url) as connection, opened_output(output) as stream:
        rows = map(product_json, catalogue.every(connection))
        write(stream, rows, columns=tuple(ProductJson.__annotations__))


def _time(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else moment(value)
    except ValueError as error:
        raise click.BadParameter("A time has a zone, such as 2026-11-23T12:00:00Z.") from error


@products.command()
@click.argument("product_id", type=click.IntRange(1, MAX_ID))
@click.option("--from", "since", callback=_time, help="RFC 3339, such as 2026-11-23T12:00:00Z.")
@click.option("--to", "until", callback=_time, help="RFC 3339, exclusive.")
@format_option
@output_option
@with_plain_errors
def history(
    product_id: int,
    since: datetime | None,
    until: datetime | None,
    given_format: str | None,
    output: str | None,
) -> None:
    """Writes every change of a product's offers, removed ones included, oldest first."""
    if since is not None and until is not None and since > until:
        raise click.UsageError("--from must not be after --to.")
    write, settings = writer(output, given_format), load_settings()
    with snapshot(settings.database_url) as connection:
        # Fails for an unknown product before the output file exists.
        catalogue.get(connection, product_id)
        with opened_output(output) as stream:
            changes = offer_history.every(connection, product_id, Span(since, until))
            rows = (change_json(each, currency=settings.currency) for each in changes)
            write(stream, rows, columns=tuple(OfferChangeJson.__annotations__))
