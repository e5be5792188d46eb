"""Random keys of the installation: `productator migrate` makes them, or the first program that needs one."""

import secrets
from contextlib import suppress

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from productator.models import InstallationKey

CURSORS = "cursors"
MUTE_LINKS = "mute links"
_BYTES = 32


def find_or_make(connection: Connection, name: str) -> str:
    """The secret of the key; the connection must see what others have committed since its first statement."""
    stored = select(InstallationKey.secret).where(InstallationKey.name == name)
    found = connection.scalar(stored)
    if found is not None:
        return found
    new = insert(InstallationKey).values(name=name, secret=secrets.token_hex(_BYTES))
    # Another process may have made it since.
    with suppress(IntegrityError):
        connection.execute(new)
    return connection.scalars(stored).one()


def revoke(connection: Connection, name: str) -> None:
    """The next program that needs the key makes another one."""
    connection.execute(delete(InstallationKey).where(InstallationKey.name == name))
