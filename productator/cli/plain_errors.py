"""Expected failures of a command end it with one sentence instead of a traceback."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click
from sqlalchemy.exc import SQLAlchemyError

from productator.database.failures import reason
from productator.database.migrate import MigrationLocked, SchemaUnknown
from productator.errors import ConfigError, ProductNotFound, TokenNotFound

Arguments = ParamSpec("Arguments")


def with_plain_errors(command: Callable[Arguments, None]) -> Callable[Arguments, None]:
    @wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ConfigError, MigrationLocked, ProductNotFound, SchemaUnknown, TokenNotFound) as error:
            raise click.ClickException(str(error)) from error
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {reason(error)}.") from error

        except OSError as error:
            # Without a name it is the end of a pipe.
            if error.filename is None:
                raise
            raise click.FileError(str(error.filename), error.strerror) from error

    return run
