"""`productator products`: many products from a file, and all of them to one."""

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

from productator.api.resources.offer_history import change_json
from productator.api.schemas.answers import ProductJson, product_json
from productator.catalogue import products as catalogue
from productator.cli.command import moment_given, settings_given, told_in_a_sentence
from productator.cli.files import STANDARD, format_of, formatted, output_option, writer, written_to
from productator.database.engine import make_engine, snapshot
from productator.domain import MAX_ID
from productator.prices import recording as recorded
from productator.prices.recording import Span
from productator.transfer import importing
from productator.transfer.reading import READERS, Record, Records, Refused
from productator.transfer.writing import CHANGE_COLUMNS

_MOST_TOLD = 100


@click.group()
def products() -> None:
    """Imports and exports products."""


@products.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@formatted
@click.option("--dry-run", is_flag=True, help="Only check the file; the database is not touched.")
@click.option("--skip-invalid", is_flag=True, help="Import the valid records of a file that has others.")
@told_in_a_sentence
def import_(file: str, given_format: str | None, *, dry_run: bool, skip_invalid: bool) -> None:
    """Creates a product for each record of FILE (CSV or JSON Lines; - is the standard input).

    Nothing is imported from a file with invalid records, unless told otherwise; the exit code is 1 if there
    are any. Run it again after it was interrupted: it goes on where it stopped, and imports no record twice.
    """
    read, name = READERS[format_of(file, given_format)], _name(file)
    with _opened(file) as stream:
        valid, invalid = _check(stream, read, name)
        if dry_run:
            click.echo(f"{name}: {valid} valid, {invalid} invalid; none imported.")
        elif invalid and not skip_invalid:
            click.echo(f"{name}: {valid} valid, {invalid} invalid; none imported (see --skip-invalid).")
        else:
            created, there = _import(stream, read)
            click.echo(f"{name}: {created} imported, {there} already there, {invalid} invalid.")
    if invalid:
        sys.exit(1)


def _name(file: str) -> str:
    return "standard input" if file == STANDARD else file


@contextmanager
def _opened(file: str) -> Iterator[BufferedIOBase]:
    """The file to be read more than once; what comes only once is kept in a temporary one."""
    with click.open_file(file, "rb") as given:
        stream = cast("BufferedIOBase", given)
        if file != STANDARD and stream.seekable():
            yield stream
            return
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(stream, kept)
            yield cast("BufferedIOBase", kept)


def _check(stream: BufferedIOBase, read: Callable[[BufferedIOBase], Records], name: str) -> tuple[int, int]:
    """Tells what is wrong with the file; returns how many records are valid, and how many are not."""
    valid = invalid = 0
    told: list[Refused] = []
    with _progress("Checking", stream) as advance:
        for number, record in enumerate(read(stream)):
            if isinstance(record, Record):
                valid += 1
            else:
                invalid += 1
                told += [record] if invalid <= _MOST_TOLD else []
            if number % 1_000 == 0:
                advance()
    # Behind the bar, which would be drawn over them.
    for refused in told:
        _tell(name, refused)
    if invalid > _MOST_TOLD:
        click.echo(f"{name}: {invalid - _MOST_TOLD} more invalid records.", err=True)
    return valid, invalid


def _tell(name: str, refused: Refused) -> None:
    for field, detail in refused.errors[:_MOST_TOLD]:
        # A field's name is whatever the file says, and must not steer the terminal.
        in_field = f" {field if field.isprintable() else repr(field)}:" if field else ""
        click.echo(f"{name}:{refused.line}:{in_field} {detail}", err=True)


def _import(stream: BufferedIOBase, read: Callable[[BufferedIOBase], Records]) -> tuple[int, int]:
    engine = make_engine(settings_given().database_url)
    file = importing.digest(stream)
    with _progress("Importing", stream) as advance:
        records = (record for record in read(stream) if isinstance(record, Record))
        return importing.import_records(sessionmaker(engine), records, of=file, done=advance)


@contextmanager
def _progress(label: str, stream: BufferedIOBase) -> Iterator[Callable[[], None]]:
    """A bar of the bytes that were read, for whoever looks at a terminal."""
    size = stream.seek(0, os.SEEK_END)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=size, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield lambda: bar.update(stream.tell() - bar.pos)
        bar.update(size - bar.pos)


@products.command()
@formatted
@output_option
@told_in_a_sentence
def export(given_format: str | None, output: str | None) -> None:
    """Writes all products, as they are at one moment, as CSV or JSON Lines."""
    write = writer(output, given_format)
    with snapshot(settings_given().database_url) as connection, written_to(output) as stream:
        rows = map(product_json, catalogue.every(connection))
        write(stream, rows, columns=tuple(ProductJson.__annotations__))


@products.command()
@click.argument("product_id", type=click.IntRange(1, MAX_ID))
@click.option("--from", "since", callback=moment_given, help="RFC 3339, such as 2026-11-23T12:00:00Z.")
@click.option("--to", "until", callback=moment_given, help="RFC 3339, exclusive.")
@formatted
@output_option
@told_in_a_sentence
def history(
    product_id: int,
    since: datetime | None,
    until: datetime | None,
    given_format: str | None,
    output: str | None,
) -> None:
    """Writes every change of a product's offers, past ones included, oldest first."""
    write, settings = writer(output, given_format), settings_given()
    with snapshot(settings.database_url) as connection:
        # Before there is a file for it.
        catalogue.get(connection, product_id)
        with written_to(output) as stream:
            changes = recorded.every(connection, product_id, Span(since, until))
            write(stream, (change_json(row, currency=settings.currency) for row in changes), CHANGE_COLUMNS)
