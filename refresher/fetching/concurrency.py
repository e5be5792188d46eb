"""How many calls may be under way: more while the service keeps up, fewer when it does not. Pure.

As in TCP: the limit starts low and doubles with each round of calls. When the service refuses calls or does
not answer, it halves; from there it grows step by step. The service also counts as slow when even its
quickest answer takes a multiple of the usual time: pauses of our own make all other answers look slow.
"""

import math

_START = 64
_LEAST = 4
_STEPS = 64
_AFTER_A_REFUSAL = 0.5
_WHEN_SLOW = 0.8
# How many times the usual latency is slow, and a latency that is never slow.
_SLOW_TIMES = 3.0
_NEVER_SLOW_S = 0.05
# For how long a latency counts as usual. A service that stays slow gets as many calls as before after that.
_MEMORY_S = 30.0


class ConcurrencyLimit:
    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(_START, most))
        # Up to here it doubles with each round of calls.
        self._doubles_to = float(most)
        # A round ends with the first answer to a call that was sent after the round began.
        self._round_began = -math.inf
        self._quickest = math.inf
        self._latency = _UsualLatency()

    @property
    def value(self) -> int:
        return int(self._limit)

    def restart(self) -> None:
        """The service is down: when it returns, it must not meet all waiting calls at once."""
        self._limit = float(self._least)
        self._doubles_to = float(self._most)

    def answered(self, *, sent_at: float, now: float) -> None:
        """The service did what it was asked for, or said why it did not."""
        self._quickest = min(self._quickest, now - sent_at)
        doubles = self._limit < self._doubles_to
        self._limit += 1 if doubles else self._most / _STEPS / self._limit
        self._limit = min(self._limit, self._most)
        if sent_at >= self._round_began:
            is_slow = self._quickest > max(_SLOW_TIMES * self._latency.usual, _NEVER_SLOW_S)
            self._latency.remember(self._quickest, now=now)
            if is_slow:
                self._lower(_WHEN_SLOW)
            self._round_began, self._quickest = now, math.inf

    def refused(self, *, sent_at: float, now: float) -> None:
        """The service did not answer in time, or said that it cannot now."""
        if sent_at >= self._round_began:
            self._lower(_AFTER_A_REFUSAL)
            self._round_began, self._quickest = now, math.inf

    @property
    def _least(self) -> int:
        return min(_LEAST, self._most)

    def _lower(self, share: float) -> None:
        self._limit = max(self._least, self._limit * share)
        self._doubles_to = self._limit


class _UsualLatency:
    """The shortest latency of the last 30 to 60 seconds."""

    def __init__(self) -> None:
        self._lately = math.inf
        self._before = math.inf
        self._lately_began = -math.inf

    @property
    def usual(self) -> float:
        return min(self._lately, self._before)

    def remember(self, latency: float, *, now: float) -> None:
        if now - self._lately_began > _MEMORY_S:
            self._lately_began = now
            self._before, self._lately = self._lately, math.inf
        self._lately = min(self._lately, latency)
