"""Deadlines for the head and the body of a request, and for its answer, whatever moves in between.

uWSGI only limits each wait for more. So a thread of each worker looks at the worker's connections, and ends
those that are late. A connection is known by the number of its inode: the system gives the
number of its descriptor to the next connection.
"""

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from productator.ops.descriptors import internet_sockets, is_listening
from productator.ops.threads import without_signals

log = logging.getLogger(__name__)

HEAD_S = 10.0
BODY_S = 10.0
# From the head to the end of the answer: below uWSGI's harakiri, which would end the whole worker.
WHOLE_S = 40.0
# Each look takes some milliseconds: a worker has a hundred descriptors and more.
_EVERY_S = 1.0


class SlowClients:
    """The connections of this process whose requests are not complete yet."""

    def __init__(self) -> None:
        # By inode: until when a connection may stay.
        self._until: dict[int, float] = {}
        self._bodies: dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        with without_signals():
            threading.Thread(target=self._run, name="slow-clients", daemon=True).start()

    def head_arrived(self, descriptor: int) -> None:
        self._until[os.fstat(descriptor).st_ino] = time.monotonic() + WHOLE_S

    @contextmanager
    def receiving_body(self, descriptor: int, *, until: float) -> Iterator[None]:
        connection = socket.socket(fileno=os.dup(descriptor))
        with self._lock:
            self._bodies[connection] = until
        try:
            yield
        finally:
            with self._lock:
                del self._bodies[connection]
            connection.close()

    def _run(self) -> None:
        while True:
            time.sleep(_EVERY_S)
            self.end_late()

    def end_late(self) -> None:
        """Ends the connections whose time is over; the answer to a late body is still sent."""
        self._end_late_connections(time.monotonic())
        with self._lock:
            late = [each for each, until in self._bodies.items() if until < time.monotonic()]
            for connection in late:
                _shut(connection, socket.SHUT_RD)

    def _end_late_connections(self, now: float) -> None:
        known = set(self._until)
        found = _accepted()
        for inode in known - found.keys():
            del self._until[inode]
        for inode, connection in found.items():
            # New ones have not sent their heads.
            if self._until.setdefault(inode, now + HEAD_S) < now:
                _log_end(connection)
                _shut(connection, socket.SHUT_RDWR)
                self._until[inode] = math.inf  # once is enough
            connection.close()


def _accepted() -> dict[int, socket.socket]:
    """Duplicates of the sockets that this process has accepted at the port it listens on, by inode."""
    ports: set[int] = set()
    found: dict[int, socket.socket] = {}
    for connection in internet_sockets():
        name = connection.getsockname()
        if is_listening(connection):
            ports.add(name[1])
            connection.close()
        else:
            found[os.fstat(connection.fileno()).st_ino] = connection
    for inode, connection in list(found.items()):
        if connection.getsockname()[1] not in ports:
            found.pop(inode).close()
    return found


def _log_end(connection: socket.socket) -> None:
    """The one trace of a request whose head never arrived."""
    with suppress(OSError):  # the client has ended it
        log.info("a slow client was disconnected", extra={"address": connection.getpeername()[0]})


def _shut(connection: socket.socket, how: int) -> None:
    with suppress(OSError):  # the client has ended it
        connection.shutdown(how)
