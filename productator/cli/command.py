"""What all commands share: the settings, and failures that are told in a sentence."""

import os
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import ParamSpec

import click
from sqlalchemy.exc import SQLAlchemyError

from productator.api.conventions.time_ranges import moment
from productator.config import Settings
from productator.database.migrate import MigrationLocked
from productator.errors import ConfigError, ProductNotFound, TokenNotFound

Arguments = ParamSpec("Arguments")


def settings_given() -> Settings:
    return Settings.load(os.environ.get("PRODUCTATOR_CONFIG"), os.environ)


def moment_given(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """An option that names a time, with the zone it is meant in."""
    try:
        return None if value is None else moment(value)
    except ValueError as error:
        raise click.BadParameter("A time has a zone, such as 2026-11-23T12:00:00Z.") from error


def told_in_a_sentence(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """Ends a command with one sentence where a traceback would help nobody."""

    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ConfigError, MigrationLocked, ProductNotFound, TokenNotFound) as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {error.__cause__ or error}") from error

    return run
