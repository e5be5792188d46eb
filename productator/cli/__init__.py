"""The `productator` command."""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from productator.api.openapi import document
from productator.app import create_app
from productator.cli import demo
from productator.cli.command import settings_given, told_in_a_sentence
from productator.cli.products import products
from productator.cli.tokens import first_token, tokens
from productator.database import migrate as schema
from productator.database.engine import make_engine
from productator.models import Base

_UWSGI_INI = Path(__file__).resolve().parents[1] / "ops" / "uwsgi.ini"


@click.group()
@click.version_option(package_name="productator", message="%(package)s %(version)s")
def main() -> None:
    """Manages Productator's database and starts its API."""


main.add_command(products)
main.add_command(tokens)


@main.command()
@click.option("--wait", default=0.0, help="Seconds to wait for the database to answer.", show_default=True)
@told_in_a_sentence
def migrate(wait: float) -> None:
    """Brings the schema to the newest version; safe to run from several places at once."""
    engine = make_engine(settings_given().database_url)
    before, after = schema.migrate(engine, wait_s=wait)
    where = engine.url.render_as_string(hide_password=True)
    click.echo(
        f"{where}: schema {after}" + (", nothing to do" if before == after else f", was {before or 'empty'}")
    )


@main.command()
@told_in_a_sentence
def dump() -> None:
    """Prints the newest schema in MySQL's SQL."""
    click.echo(schema.dump(Base.metadata), nl=False)


@main.command()
@told_in_a_sentence
def openapi() -> None:
    """Prints the OpenAPI document of the API."""
    click.echo(json.dumps(document.build(create_app(settings_given())), ensure_ascii=False, indent=2))


@main.command()
@click.option("--development", is_flag=True, help="Use Flask's development server instead.")
@told_in_a_sentence
def serve(*, development: bool) -> None:
    """Serves the API with uWSGI; this process becomes its master."""
    settings = settings_given()
    host, port = settings.listen_host, str(settings.port)
    if secret := first_token(settings):
        click.echo(f"This token may do everything, and is shown only now: {secret}")
    if development:
        _become("flask", "--app", "productator.wsgi", "run", "--host", host, "--port", port)
    _become("uwsgi", "--ini", str(_UWSGI_INI), "--http-socket", f"{host}:{port}", "--virtualenv", sys.prefix)


def _become(program: str, *arguments: str) -> NoReturn:
    """Replaces this process by a program of the same environment."""
    sys.stdout.flush()
    path = Path(sys.executable).parent / program
    os.execv(path, [program, *arguments])  # noqa: S606 - no shell is wanted


@main.command(name="demo")
@told_in_a_sentence
def load_demo() -> None:
    """Loads the demo's products into an empty database and says where to look."""
    settings = settings_given()
    loaded = demo.load(make_engine(settings.database_url))
    click.echo(demo.banner(settings, loaded, first_token(settings)))
