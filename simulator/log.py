"""The log of requests: bounded, and 20 bytes for an entry, because a benchmark makes millions."""

import json
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from simulator.calls import SpoiltOffer

_NOTHING = -1


class RequestOutcome(NamedTuple):
    """The result of a request; `status` is None when none was sent."""

    call: str
    status: int | None
    fault: str | None
    spoilt: SpoiltOffer | None = None


class _Numbers:
    """Numbers values; equal values have the same number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._number_of: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        number = self._number_of.get(value)
        if number is None:
            number = self._number_of[value] = len(self.values)
            self.values.append(value)
        return number


class _Chunk:
    """Consecutive entries in columns; `first` is the number of the first."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.times = array("d")
        self.outcomes = array("i")
        self.products = array("i")
        self.ticks = array("i")

    def __len__(self) -> int:
        return len(self.times)


class RequestLog:
    """Requests in the order of their answers, numbered from 1; numbers are never reused."""

    def __init__(self, *, limit: int = 2_000_000, chunk: int = 100_000) -> None:
        self._chunk = chunk
        self._chunk_limit = max(1, limit // chunk)
        self._next = 1
        self.clear()

    def clear(self) -> None:
        self._outcomes = _Numbers()
        self._products = _Numbers()
        self._counts: Counter[int] = Counter()
        self._chunks = deque([_Chunk(self._next)], maxlen=self._chunk_limit)

    def append(self, time: float, outcome: RequestOutcome, *, product: str | None, tick: int | None) -> None:
        chunk = self._chunks[-1]
        if len(chunk) == self._chunk:
            chunk = _Chunk(self._next)
            self._chunks.append(chunk)
        number = self._outcomes.of(outcome)
        self._counts[number] += 1
        chunk.times.append(time)
        chunk.outcomes.append(number)
        chunk.products.append(_NOTHING if product is None else self._products.of(product))
        chunk.ticks.append(_NOTHING if tick is None else tick)
        self._next += 1

    def json_lines(self, *, since: int = 0) -> Iterator[str]:
        """The entries with numbers above `since`."""
        for chunk in list(self._chunks):
            for position in range(max(0, since + 1 - chunk.first), len(chunk)):
                yield json.dumps(self._entry(chunk, position)) + "\n"

    def counts(self) -> dict[str, dict[str, int]]:
        """Requests by call and status since the log was cleared; "none": no status was sent."""
        counts: dict[str, dict[str, int]] = {"auth": {}, "register": {}, "offers": {}}
        for number, count in self._counts.items():
            outcome = self._outcomes.values[number]
            by_status = counts[outcome.call]
            status = "none" if outcome.status is None else str(outcome.status)
            by_status[status] = by_status.get(status, 0) + count
        return counts

    def _entry(self, chunk: _Chunk, position: int) -> dict[str, Any]:
        outcome = self._outcomes.values[chunk.outcomes[position]]
        product, tick = chunk.products[position], chunk.ticks[position]
        entry = {
            "n": chunk.first + position,
            "time": chunk.times[position],
            "call": outcome.call,
            "product": None if product == _NOTHING else self._products.values[product],
            "status": outcome.status,
            "fault": outcome.fault,
        }
        if tick == _NOTHING:
            return entry
        spoilt = {} if outcome.spoilt is None else {"spoilt": outcome.spoilt._asdict()}
        return entry | {"tick": tick} | spoilt
