"""The `productator` command."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec

import click
from sqlalchemy.exc import SQLAlchemyError

from productator import demo, schema
from productator.api.openapi import document
from productator.app import create_app
from productator.config import Settings
from productator.engine import make_engine
from productator.errors import ConfigError

Arguments = ParamSpec("Arguments")

_UWSGI_INI = Path(__file__).resolve().parent.parent / "uwsgi.ini"


@click.group()
def main() -> None:
    """Manages Productator's database and starts its API."""


def told_in_a_sentence(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Ends a command with one sentence where a traceback would help nobody."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ConfigError, schema.MigrationLocked) as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {error.__cause__ or error}") from error

    return run


@main.command()
@click.option("--wait", default=0.0, help="Seconds to wait for the database to answer.", show_default=True)
@told_in_a_sentence
def migrate(wait: float) -> None:
    """Brings the schema to the newest version; safe to run from several places at once."""
    engine = make_engine(_settings().database_url)
    before, after = schema.migrate(engine, wait_s=wait)
    where = engine.url.render_as_string(hide_password=True)
    click.echo(
        f"{where}: schema {after}" + (", nothing to do" if before == after else f", was {before or 'empty'}")
    )


@main.command()
@told_in_a_sentence
def dump() -> None:
    """Prints the newest schema in MySQL's SQL."""
    click.echo(schema.dump(), nl=False)


@main.command()
@told_in_a_sentence
def openapi() -> None:
    """Prints the OpenAPI document of the API."""
    click.echo(json.dumps(document.build(create_app(_settings())), ensure_ascii=False, indent=2))


@main.command()
@click.option("--development", is_flag=True, help="Use Flask's development server instead.")
@told_in_a_sentence
def serve(*, development: bool) -> None:
    """Serves the API with uWSGI; this process becomes its master."""
    settings = _settings()
    host, port = settings.listen_host, str(settings.port)
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
    settings = _settings()
    loaded = demo.load(make_engine(settings.database_url))
    click.echo(demo.banner(settings, loaded))


def _settings() -> Settings:
    return Settings.load(os.environ.get("PRODUCTATOR_CONFIG") or "config.cfg", os.environ)
