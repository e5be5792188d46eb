"""`productator products`: imports products from a file, exports products and their history to one."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BufferedIOBase
from typing import cast

import click
from sqlalchemy.orm import sessionmaker

from productator.api.conventions.time_ranges import moment
from productator.api.schemas.answers import ProductJson, product_json
from productator.api.schemas.price_json import change_json
from productator.api.schemas.prices import OfferChangeJson
from productator.catalogue import products as catalogue
from productator.cli.files import STANDARD, format_of, format_option, opened_output, output_option, writer
from productator.cli.plain_errors import with_plain_errors
from productator.cli.settings import load_settings
from productator.database.engine import make_engine, snapshot
from productator.domain import MAX_ID
from productator.prices import offer_history
from productator.prices.offer_history import Span
from productator.transfer import importing
from productator.transfer.reading import READERS, InvalidRecord, Record, Records

_MOST_SHOWN = 100


@click.group()
def products() -> None:
    """Imports and exports products."""


@products.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@format_option
@click.option("--dry-run", is_flag=True, help="Only check the file, without the database.")
@click.option("--skip-invalid", is_flag=True, help="Import the valid records although others are invalid.")
@with_plain_errors
def import_(file: str, given_format: str | None, *, dry_run: bool, skip_invalid: bool) -> None:
    """Creates a product for each record of FILE (CSV or JSON Lines; - is the standard input).

    The whole file is checked first. If a record is invalid, nothing is imported (see --skip-invalid), and the
    exit code is 1. Run an interrupted import again with the same file: it continues, and imports no record
    twice.
    """
    read, name = READERS[format_of(file, given_format)], "standard input" if file == STANDARD else file
    with _opened(file) as stream:
        valid, invalid = _check(stream, read, name)
        if dry_run:
            click.echo(f"{name}: {valid} valid, {invalid} invalid; none imported.")
        elif invalid and not skip_invalid:
            click.echo(
                f"{name}: {valid} valid, {invalid} invalid; none imported."
                " Fix the file and run it again, or import the valid records with --skip-invalid."
            )
        else:
            created, existing = _import(stream, read)
            click.echo(f"{name}: {created} imported, {existing} already there, {invalid} invalid.")
    if invalid:
        sys.exit(1)


@contextmanager
def _opened(file: str) -> Iterator[BufferedIOBase]:
    """The file, readable more than once: a pipe is copied to a temporary file."""
    with click.open_file(file, "rb") as given:
        stream = cast("BufferedIOBase", given)
        if file != STANDARD and stream.seekable():
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            yield cast("BufferedIOBase", copy)


def _check(stream: BufferedIOBase, read: Callable[[BufferedIOBase], Records], name: str) -> tuple[int, int]:
    """Shows what is wrong with the file; returns how many records are valid, and how many are not."""
    valid = invalid = 0
    shown: list[InvalidRecord] = []
    with _progress("Checking", stream) as advance:
        for number, record in enumerate(read(stream)):
            if isinstance(record, Record):
                valid += 1
            else:
                invalid += 1
                shown += [record] if invalid <= _MOST_SHOWN else []
            if number % 1_000 == 0:
                advance()
    # Only now: the progress bar would overwrite them.
    for record in shown:
        _show(name, record)
    if invalid > _MOST_SHOWN:
        click.echo(f"{name}: {invalid - _MOST_SHOWN} more invalid records.", err=True)
    return valid, invalid


def _show(name: str, record: InvalidRecord) -> None:
    for field, detail in record.errors[:_MOST_SHOWN]:
        # A field's name comes from the file, and must not control the terminal.
        in_field = f" {field if field.isprintable() else repr(field)}:" if field else ""
        click.echo(f"{name}:{record.line}:{in_field} {detail}", err=True)


def _import(stream: BufferedIOBase, read: Callable[[BufferedIOBase], Records]) -> tuple[int, int]:
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
    size = stream.seek(0, os.SEEK_END)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=size, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda: bar.update(stream.tell() - bar.pos)
        bar.update(size - bar.pos)


@products.command()
@format_option
@output_option
@with_plain_errors
def export(given_format: str | None, output: str | None) -> None:
    """Writes all products, as of one moment, as CSV or JSON Lines."""
    write = writer(output, given_format)
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
    write, settings = writer(output, given_format), load_settings()
    with snapshot(settings.database_url) as connection:
        # Fails for an unknown product before the output file exists.
        catalogue.get(connection, product_id)
        with opened_output(output) as stream:
            changes = offer_history.every(connection, product_id, Span(since, until))
            rows = (change_json(each, currency=settings.currency) for each in changes)
            write(stream, rows, columns=tuple(OfferChangeJson.__annotations__))
