"""Random keys of the installation: `productator migrate` makes them, or the first program that needs one."""

import secrets
from contextlib import suppress

from sqlalchemy import Connection, insert, select
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
