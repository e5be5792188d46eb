"""What this refresher counts for its heartbeat; the loop writes it, and the maintenance thread reads it."""

import os
import socket
import time
from datetime import datetime
from importlib import metadata
from threading import Lock

from productator.domain import utc_now
from productator.models.refresher import REFRESHER_NAME_LENGTH
from productator.operation.heartbeats import Counted, Vitals


class OwnVitals:
    def __init__(self) -> None:
        process = f":{os.getpid()}"
        self._name = socket.gethostname()[: REFRESHER_NAME_LENGTH - len(process)] + process
        self._started_at = utc_now()
        self._lock = Lock()
        self._counted = Counted()
        self._counted_since = time.monotonic()
        self._down_since: datetime | None = None
        self._last_success_at: datetime | None = None

    def count(self, *, refreshes: int, failures: int, changes: int) -> None:
        if not (refreshes or failures or changes):
            return
        with self._lock:
            before = self._counted
            self._counted = Counted(
                before.refreshes + refreshes, before.failures + failures, before.changes + changes
            )
            if refreshes:
                self._last_success_at = utc_now()

    def set_breaker(self, *, is_open: bool) -> None:
        if is_open != (self._down_since is not None):
            self._down_since = utc_now() if is_open else None

    def read(self) -> tuple[Vitals, Counted]:
        """For a heartbeat, with what was counted since the last one that was written."""
        with self._lock:
            counted = self._counted
            passed_s = max(time.monotonic() - self._counted_since, 0.001)
        vitals = Vitals(
            name=self._name,
            version=metadata.version("productator"),
            started_at=self._started_at,
            down_since=self._down_since,
            last_success_at=self._last_success_at,
            refreshes_per_s=counted.refreshes / passed_s,
        )
        return vitals, counted

    def written(self, counted: Counted) -> None:
        """The heartbeat with these counts was stored: the next one has what comes after them."""
        with self._lock:
            now = self._counted
            self._counted = Counted(
                now.refreshes - counted.refreshes,
                now.failures - counted.failures,
                now.changes - counted.changes,
            )
            self._counted_since = time.monotonic()
