"""Evaluates alert rules in a thread of their own, beside the deliveries."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from notifier.metrics import NotifierMetrics
from productator.database.failures import reason
from productator.domain import utc_now
from productator.workers.background import Background

log = logging.getLogger(__name__)

_EVALUATE_EVERY_S = 1.0


class Evaluates(Protocol):
    """Brings rules up to date: see `evaluating.Evaluator`."""

    def run_once(self, now: datetime) -> tuple[int, int]: ...
    def stop(self) -> None: ...
    def give_back(self) -> None: ...


class EvaluationThread:
    """Evaluates rules now and then, in a thread."""

    def __init__(self, evaluator: Evaluates, metrics: NotifierMetrics, *, wake: Callable[[], None]) -> None:
        self._evaluator = evaluator
        self._metrics = metrics
        self._thread: Background[tuple[int, int]] = Background("evaluation", wake=wake)
        self._due_at = 0.0

    @property
    def busy_s(self) -> float:
        return self._thread.busy_s

    @property
    def is_working(self) -> bool:
        return self._thread.is_working

    def stop(self) -> None:
        self._evaluator.stop()

    def give_back(self) -> None:
        """Not while it works: what it is looking at is its own until its lease ends."""
        if not self.is_working:
            self._evaluator.give_back()

    def turn(self) -> None:
        try:
            done = self._thread.take()
        except DBAPIError as error:
            log.warning("rules were not evaluated; they will be", extra={"error": reason(error)})
            done = 0, 0
        except Exception:
            log.exception("evaluating rules failed")
            done = 0, 0
        if done is not None:
            products, events = done
            self._metrics.count_evaluated(products, events)
            # More may wait.
            self._due_at = time.monotonic() + (0.0 if products else _EVALUATE_EVERY_S)
        if not self._thread.is_busy and time.monotonic() >= self._due_at:
            self._thread.start(lambda: self._evaluator.run_once(utc_now()))
