"""A limited number of places. While all are taken, threads wait for their turn."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock


class Places:
    """Gives each place that becomes free to the thread that has waited longest.

    With Python's `Semaphore`, a thread that comes may be faster than the one that is woken, which then waits
    behind all others once more: of the requests of 100 clients, one in a hundred took twice as long.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        # Each is held until its thread has a place. Nobody waits while a place is free.
        self._turns: deque[Lock] = deque()
        self._lock = Lock()
        # When a place was last taken or given back, by the monotonic clock.
        self.changed_at = 0.0

    def take(self, longest_s: Callable[[], float] | None = None) -> bool:
        """Whether this thread has got a place, which `give_back` ends.

        `longest_s` tells for how long it may wait from now on, and is asked again after that time.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                self.changed_at = time.monotonic()
                return True
            turn = Lock()
            turn.acquire()
            self._turns.append(turn)
        if longest_s is None:
            return turn.acquire()
        while (wait_s := longest_s()) > 0:
            if turn.acquire(timeout=wait_s):
                return True
        return not self._leave(turn)

    @property
    def waiting(self) -> int:
        return len(self._turns)

    def give_back(self) -> None:
        with self._lock:
            self.changed_at = time.monotonic()
            if self._turns:
                self._turns.popleft().release()
            else:
                self._free += 1

    def _leave(self, turn: Lock) -> bool:
        """False: it has got its place meanwhile."""
        with self._lock:
            if turn not in self._turns:
                return False
            self._turns.remove(turn)
            return True
