"""The sockets that this process has, uWSGI's among them, which Python does not know."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def internet_sockets() -> Iterator[socket.socket]:
    """Duplicates of all sockets of the internet that this process has; the caller closes them."""
    for link in list(_DESCRIPTORS.iterdir()):
        with suppress(OSError):  # closed since
            if str(link.readlink()).startswith("socket:"):
                connection = socket.socket(fileno=os.dup(int(link.name)))
                if connection.family in {socket.AF_INET, socket.AF_INET6}:
                    yield connection
                else:
                    connection.close()


def is_listening(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
