"""Work in a thread of its own, so that what it waits for holds up nobody."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Background(Generic[Result]):
    """One piece of work at a time."""

    def __init__(self, name: str, *, wake: Callable[[], None]) -> None:
        """`wake` is called, from that thread, whenever a piece has ended."""
        self._name = name
        self._wake = wake
        self._future: Future[Result] | None = None
        self._began = 0.0

    @property
    def is_busy(self) -> bool:
        """Also until its result has been taken."""
        return self._future is not None

    @property
    def busy_s(self) -> float:
        """For how long it has been working."""
        is_working = self._future is not None and not self._future.done()
        return time.monotonic() - self._began if is_working else 0.0

    def start(self, work: Callable[[], Result]) -> None:
        """The result of the last piece has been taken."""
        future = self._future = Future[Result]()
        self._began = time.monotonic()
        # A daemon, so that a server that never answers cannot keep the process from ending.
        thread = threading.Thread(target=self._fulfil, args=(future, work), name=self._name, daemon=True)
        thread.start()

    def taken(self, *, wait_s: float = 0.0) -> Result | None:
        """The result, once; None: there is none yet. Raises what the work raised."""
        if self._future is None or not wait([self._future], wait_s).done:
            return None
        future, self._future = self._future, None
        return future.result()

    def _fulfil(self, future: Future[Result], work: Callable[[], Result]) -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the result is taken
            future.set_exception(error)
        self._wake()
