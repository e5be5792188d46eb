"""The sockets that this process has, uWSGI's among them, which Python does not know."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

_DESCRIPTORS = "/proc/self/fd"


def internet_sockets() -> Iterator[socket.socket]:
    """Duplicates of all sockets of the internet that this process has; the caller closes them."""
    # Not by pathlib, which interns each name: Python's table of them grew with the number of connections.
    for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208
        with suppress(OSError):  # closed since
            if os.readlink(f"{_DESCRIPTORS}/{number}").startswith("socket:"):  # noqa: PTH115
                connection = socket.socket(fileno=os.dup(int(number)))
                if connection.family in {socket.AF_INET, socket.AF_INET6}:
                    yield connection
                else:
                    connection.close()


def is_listening(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
