"""Connections that stay as they are between their uses, since to make one ready takes as long as a read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from sqlalchemy import Connection, Engine

# The server, or a proxy before it, closes connections that are idle for longer.
KEPT_S = 60


class KeptConnection(NamedTuple):
    connection: Connection
    until: float


class KeptConnections:
    """Of one engine, for all threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._idle: list[KeptConnection] = []

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        kept = self.take()
        try:
            yield kept.connection
        finally:
            self.give_back(kept)

    def take(self) -> KeptConnection:
        now = time.monotonic()
        # Another thread may take the last one in between.
        with suppress(IndexError):
            while self._idle:
                kept = self._idle.pop()
                if kept.until > now:
                    return kept
                kept.connection.close()
        return KeptConnection(self.engine.connect(), now + KEPT_S)

    def give_back(self, kept: KeptConnection) -> None:
        """Ends the transaction if need be. After a commit that failed, call `discard`."""
        connection = kept.connection
        if connection.invalidated:
            self.discard(kept)
            return
        if connection.in_transaction():
            connection.rollback()  # of SELECTs
        self._idle.append(kept)

    def discard(self, kept: KeptConnection) -> None:
        """The engine's pool gets the connection, and undoes what it has not committed."""
        try:
            # Without this, `close` would leave a transaction open whose commit failed.
            kept.connection.rollback()
        finally:
            is_lost = kept.connection.invalidated
            kept.connection.close()
            if is_lost:
                # The others lead to the same server.
                self.close()

    def close(self) -> None:
        """Closes those that nobody uses."""
        with suppress(IndexError):
            while self._idle:
                self._idle.pop().connection.close()
