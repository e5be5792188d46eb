"""Work in a thread of its own, so that it can wait while the loop goes on."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """One piece of work at a time."""

    def __init__(self, name: str, *, wake: Callable[[], None]) -> None:
        """The thread calls `wake` when a piece of work has ended."""
        self._name = name
        self._wake = wake
        self._future: Future[Result] | None = None
        self._started_at = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether work is going on, or has ended and its result is still to be taken."""
        return self._future is not None

    @property
    def is_working(self) -> bool:
        return self._future is not None and not self._future.done()

    @property
    def busy_s(self) -> float:
        """For how long the work has been going on; 0: it has ended."""
        return time.monotonic() - self._started_at if self.is_working else 0.0

    def start(self, work: Callable[[], Result]) -> None:
        """Only while not busy."""
        future = self._future = Future[Result]()
        self._started_at = time.monotonic()
        # A daemon, so that a server that never answers cannot keep the process from ending.
        thread = threading.Thread(target=self._work, args=(future, work), name=self._name, daemon=True)
        thread.start()

    def take(self, *, wait_s: float = 0.0) -> Result | None:
        """The result, once; None: there is none yet. Raises the work's exception."""
        # Loops ask a thousand times a second, and `wait` is slow.
        if self._future is None or not (
            self._future.done() or (wait_s and wait([self._future], wait_s).done)
        ):
            return None
        future, self._future = self._future, None
        return future.result()

    def _work(self, future: Future[Result], work: Callable[[], Result]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            future.set_exception(error)
        self._wake()
