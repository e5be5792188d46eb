"""The `productator` command."""

import json
import os
import sys
import tempfile
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click

# The image of the refresher and the notifier has the wheel, and with it this command, but not what it needs.
if find_spec("flask") is None:
    sys.exit(
        "Error: The `productator` command needs the API's packages, and only those of the refresher and the"
        " notifier are installed here. Run it in the API's image: `docker-compose exec api productator ...`."
    )

from productator.access import installation_keys
from productator.api.openapi import document
from productator.app import create_app
from productator.cli import demo
from productator.cli.alerts import alerts
from productator.cli.plain_errors import with_plain_errors
from productator.cli.products import products
from productator.cli.settings import load_settings
from productator.cli.tokens import first_token, tokens
from productator.database import migrate as schema
from productator.database.engine import make_engine
from productator.models import Base
from productator.ops import metrics, uwsgi_log
from productator.ops.draining import SWITCH


@click.group()
@click.version_option(package_name="productator", message="%(package)s %(version)s")
def main() -> None:
    """Manages Productator's database and starts its API."""


main.add_command(alerts)
main.add_command(products)
main.add_command(tokens)


@main.command()
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Seconds to wait for the database to answer.",
    show_default=True,
)
@with_plain_errors
def migrate(wait: float) -> None:
    """Brings the schema to the newest version; safe to run from several places at once."""
    engine = make_engine(load_settings().database_url)
    before, after = schema.migrate(engine, wait_s=wait)
    with engine.begin() as connection:
        # Later no read has to write.
        installation_keys.find_or_make(connection, installation_keys.CURSORS)
    where = engine.url.render_as_string(hide_password=True)
    if not schema.is_known(after):
        done = ", which is newer than this version and may be used by it; nothing to do"
    else:
        done = ", nothing to do" if before == after else f", was {before or 'empty'}"
    click.echo(f"{where}: schema {after}{done}")


@main.command()
@with_plain_errors
def dump() -> None:
    """Prints the newest schema in MySQL's SQL."""
    click.echo(schema.dump(Base.metadata), nl=False)


@main.command()
@with_plain_errors
def openapi() -> None:
    """Prints the OpenAPI document of the API."""
    click.echo(json.dumps(document.build(create_app(load_settings())), ensure_ascii=False, indent=2))


@main.command()
@click.option("--development", is_flag=True, help="Use Flask's development server instead.")
@with_plain_errors
def serve(*, development: bool) -> None:
    """Serves the API with uWSGI; this process becomes its master."""
    settings = load_settings()
    host, port = settings.listen_host, str(settings.port)
    if secret := first_token(settings):
        click.echo(f"An API token with the scope admin, shown only this once: {secret}")
    if development:
        _become("flask", "--app", "productator.wsgi", "run", "--host", host, "--port", port)
    os.environ[metrics.FOLDER] = tempfile.mkdtemp(prefix="productator-metrics-")
    uwsgi_log.start(settings.log_format)
    ini = str(resources.files("productator.ops") / "uwsgi.ini")
    # glibc gives 128 threads 16 arenas on two cores, and each keeps what it once used. Six requests at a
    # time, of which one holds the interpreter, need no more than two.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    # Each thread would keep what it has freed for itself, and it takes hours until all 128 have done so.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
    if settings.drain_s:
        os.environ[SWITCH] = "on"
    processes = ["--processes", str(settings.processes)] if settings.processes else []
    _become("uwsgi", "--ini", ini, *processes, "--http-socket", f"{host}:{port}", "--virtualenv", sys.prefix)


def _become(program: str, *arguments: str) -> NoReturn:
    """Replaces this process by a program of the same environment."""
    sys.stdout.flush()
    path = Path(sys.executable).parent / program
    os.execv(path, [program, *arguments])  # noqa: S606 - no shell is wanted


@main.command(name="demo")
@with_plain_errors
def load_demo() -> None:
    """Loads demo products into an empty database and prints what to try."""
    settings = load_settings()
    loaded = demo.load(make_engine(settings.database_url))
    click.echo(demo.banner(settings, loaded, first_token(settings)))
