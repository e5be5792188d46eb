"""How many calls may be under way: more while the service keeps up, fewer when it does not. Pure.

As in TCP: doubling from a careful start, step by step beyond the width that was too much, and half of it when
calls are refused or get no answer. The service also counts as slow when even its quickest answer takes a
multiple of what it took a while ago: the quickest, because our own pauses make all others look slow.
"""

import math

_START = 64
_LEAST = 4
_STEPS = 64
_REFUSED = 0.5
_SLOWED = 0.8
# How many times the usual latency is slow, and what no service is blamed for.
_SLOW_TIMES = 3.0
_NEVER_SLOW_S = 0.05
# So long a latency counts as usual; a service that stays slow is taken as it is, as wide as before.
_MEMORY_S = 30.0


class Window:
    def __init__(self, most: int) -> None:
        self._most = most
        self._least = min(_LEAST, most)
        self._width = float(min(_START, most))
        # Up to here it doubles with each round of calls.
        self._doubles_to = float(most)
        # Calls that were sent before have been answered for.
        self._round_began = -math.inf
        self._quickest = math.inf
        self._usual = math.inf
        self._usual_before = math.inf
        self._memory_began = -math.inf

    @property
    def width(self) -> int:
        return int(self._width)

    def restart(self) -> None:
        """The service is down: at its return it is not to be met by all that has waited, all at once."""
        self._width = float(self._least)
        self._doubles_to = float(self._most)

    def answered(self, *, sent_at: float, now: float) -> None:
        """The service did what it was asked for, or said why not."""
        self._quickest = min(self._quickest, now - sent_at)
        doubles = self._width < self._doubles_to
        self._width += 1 if doubles else self._most / _STEPS / self._width
        self._width = min(self._width, self._most)
        if sent_at >= self._round_began:
            self._end_round(now)

    def refused(self, *, sent_at: float, now: float) -> None:
        """The service had no answer in time, or none for now."""
        if sent_at >= self._round_began:
            self._narrow(_REFUSED, now)

    def _end_round(self, now: float) -> None:
        usual = min(self._usual, self._usual_before)
        is_slow = self._quickest > max(_SLOW_TIMES * usual, _NEVER_SLOW_S)
        self._remember(now)
        if is_slow:
            self._narrow(_SLOWED, now)
        self._round_began, self._quickest = now, math.inf

    def _remember(self, now: float) -> None:
        if now - self._memory_began > _MEMORY_S:
            self._memory_began = now
            self._usual_before, self._usual = self._usual, math.inf
        self._usual = min(self._usual, self._quickest)

    def _narrow(self, share: float, now: float) -> None:
        self._width = max(self._least, self._width * share)
        self._doubles_to = self._width
        self._round_began, self._quickest = now, math.inf
