"""How long products wait and claims last, seen in the database while everything else is being broken."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lab.chaos.nodes import DatabaseNode, ScheduleRow, WriteProbe
from productator.domain import utc_now

_LOOK_EVERY_S = 0.25


@dataclass
class LongestWaits:
    """Counts time only while a refresher could work: it was up, and its database took writes."""

    late_s: float = 0.0
    claim_s: float = 0.0
    idle_s: float = 0.0
    samples: int = 0
    _able_since: datetime | None = None
    _claims: dict[tuple[int, str], datetime] = field(default_factory=dict)
    _last: datetime | None = None

    def note_outage(self, now: datetime) -> None:
        """No refresher could work at this moment."""
        if self._last is not None:
            self.idle_s += (now - self._last).total_seconds()
        self._able_since = None
        self._last = now

    def note_schedule(self, rows: Sequence[ScheduleRow], now: datetime) -> None:
        self.samples += 1
        if self._able_since is None:
            self._able_since = now
            # The results of claims made before the outage could not be stored meanwhile.
            self._claims = {}
        claims = {(row.product_id, row.claim_token) for row in rows if row.claim_token is not None}
        self._claims = {claim: self._claims.get(claim, now) for claim in claims}
        oldest_claim = min(self._claims.values(), default=now)
        self.claim_s = max(self.claim_s, (now - oldest_claim).total_seconds())
        oldest_due = min((row.due_at for row in rows), default=now)
        self.late_s = max(self.late_s, (now - max(oldest_due, self._able_since)).total_seconds())
        self._last = now


class ScheduleObserver:
    """Looks at the schedule four times a second."""

    def __init__(
        self, nodes: Sequence[DatabaseNode], probes: Sequence[WriteProbe], working: Callable[[], set[int]]
    ) -> None:
        """`working` gives the numbers of the servers that a running refresher uses."""
        self.waits = LongestWaits()
        self._nodes = nodes
        self._probes = probes
        self._working = working
        self._next_at = 0.0

    def step(self) -> None:
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + _LOOK_EVERY_S
        able = [number for number in sorted(self._working()) if self._probes[number].is_writable]
        schedules = [self._nodes[number].schedule() for number in able]
        readable = [each for each in schedules if each is not None]
        if readable:
            self.waits.note_schedule(readable[0], utc_now())
        else:
            self.waits.note_outage(utc_now())

    def stop(self) -> None:
        for probe in self._probes:
            probe.stop()
