"""A replica of the database, which answers reads while it is known to be close behind the primary.

How close is measured, not believed: each process counts a row of the primary up, about once a second, and
looks how far the replica has come. Only this process's clock takes part. Where replication applies
transactions in the order of their commits, a replica that has a count has all that was committed before it.
"""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, column, create_engine, event, select, table
from sqlalchemy.exc import SQLAlchemyError

from productator.database.engine import engine_options, prepare
from productator.database.failures import reason
from productator.database.kept import KeptConnections
from productator.database.use import DatabaseMetrics

log = logging.getLogger(__name__)

MEASURED_EVERY_S = 1.0
# A server that does not answer such a small statement within this time is not used.
_ANSWER_WITHIN_S = 2
_KEPT_BEATS = 600
# As `models.ReplicationBeat` has it, which this package does not know.
_BEATS = table("replication_beats", column("id"), column("number"))
_COUNT_UP = _BEATS.update().where(_BEATS.c.id == 1).values(number=_BEATS.c.number + 1)
_FIRST = _BEATS.insert().values(id=1, number=1)
_NUMBER = select(_BEATS.c.number)


class ReplicaMetrics(DatabaseMetrics, Protocol):
    """What also counts the reads that might go to the replica, and shows how far it is behind."""

    def count_replica_read(self, outcome: str) -> None: ...

    def set_replica_lag(self, seconds: float) -> None: ...


class _Beat(NamedTuple):
    number: int
    # On the monotonic clock.
    at: float


class Replica:
    def __init__(
        self,
        engine: Engine,
        *,
        primary_url: str,
        most_lag_s: float,
        most_reads: int,
        metrics: ReplicaMetrics,
    ) -> None:
        """`engine` is what requests read with, so many at the same time."""
        self.readers = KeptConnections(engine)
        self.most_lag_s = most_lag_s
        self.metrics = metrics
        self._free = threading.Semaphore(most_reads)
        self._primary = _small_engine(primary_url)
        self._replica = _small_engine(engine.url.render_as_string(hide_password=False))
        self._beats: deque[_Beat] = deque(maxlen=_KEPT_BEATS)
        # It has everything that was committed before this moment; nothing is known yet.
        self._complete_until = time.monotonic() - most_lag_s
        self._trouble: str | None = "not measured yet"
        self._is_stopped = threading.Event()

    @property
    def is_close(self) -> bool:
        """Whether it answers, and has everything that was committed more than `most_lag_s` ago."""
        return self._trouble is None and self.lag_s < self.most_lag_s

    @property
    def lag_s(self) -> float:
        """At the most."""
        return time.monotonic() - self._complete_until

    def enter(self) -> bool:
        """Whether one more may read from it now, which `leave` then ends."""
        return self.is_close and self._free.acquire(blocking=False)

    def leave(self) -> None:
        self._free.release()

    def distrust(self) -> None:
        """Leaves it unused until it is measured again."""
        self._trouble = "a read failed"

    def start(self) -> None:
        """Starts the thread that measures."""
        threading.Thread(target=self._run, name="replica", daemon=True).start()

    def stop(self) -> None:
        self._is_stopped.set()

    def _run(self) -> None:
        was_close = False
        while not self._is_stopped.wait(MEASURED_EVERY_S):
            self.measure()
            if self.is_close != was_close:
                was_close = not was_close
                log.info(
                    "reads go to the replica" if was_close else "reads go to the primary",
                    extra={"lag_s": round(self.lag_s, 1), "trouble": self._trouble},
                )
        self._primary.dispose()
        self._replica.dispose()

    def measure(self) -> None:
        """Without an answer of the primary the lag grows, too."""
        with suppress(SQLAlchemyError):
            self._beats.append(self._beat())
        try:
            self._look()
        except SQLAlchemyError as error:
            self._trouble = reason(error)
        self.metrics.set_replica_lag(self.lag_s)

    def _beat(self) -> _Beat:
        began = time.monotonic()
        with self._primary.begin() as connection:
            if not connection.execute(_COUNT_UP).rowcount:
                connection.execute(_FIRST)
            return _Beat(connection.scalars(_NUMBER).one(), began)

    def _look(self) -> None:
        with self._replica.connect() as connection:
            number = connection.scalar(_NUMBER) or 0
        reached = [beat.at for beat in self._beats if beat.number <= number]
        if reached:
            self._complete_until = reached[-1]
        self._trouble = None


def _small_engine(url: str) -> Engine:
    options = engine_options(url)
    limits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), _ANSWER_WITHIN_S)
    options["connect_args"] = options["connect_args"] | limits
    engine = create_engine(url, pool_size=1, max_overflow=0, **options)
    prepare(engine)
    return engine


def forbid_writes(engine: Engine) -> None:
    """A write to a replica would never reach the primary, and servers accept it unless they are read-only."""

    @event.listens_for(engine, "connect")
    def begin_read_only(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
