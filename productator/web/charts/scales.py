"""From values and times to places in a drawing, and the ticks beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, log10

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIME_STEPS = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 3, 6)),
    *(days * _DAY for days in (1, 2, 7, 14, 30, 90)),
)


@dataclass(frozen=True)
class Scale:
    """Puts the values from `first` to `last` between `begin` and `end`."""

    first: float
    last: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """A value outside lies on the edge."""
        if self.first == self.last:
            return (self.begin + self.end) / 2
        share = (value - self.first) / (self.last - self.first)
        if not 0 <= share <= 1:
            share = 0 if share < 0 else 1
        return round(self.begin + share * (self.end - self.begin), 1)


def ticks(low: float, high: float, *, most: int) -> list[int]:
    """Round whole numbers between both."""
    if high <= low:
        return [round(low)]
    rough = (high - low) / most
    power = 10 ** floor(log10(rough)) if rough >= 1 else 1
    step = max(1, next(int(power * each) for each in (1, 2, 5, 10) if power * each >= rough))
    return list(range(ceil(low / step) * step, floor(high) + 1, step))


def time_ticks(start: float, end: float, *, most: int) -> Iterator[tuple[int, bool]]:
    """Whole minutes, hours or days (UTC) in seconds since 1970, and whether they are days."""
    step = next((each for each in _TIME_STEPS if (end - start) / each <= most), None)
    step = step or ceil((end - start) / most / _DAY) * _DAY
    for time in range(ceil(start / step) * step, floor(end) + 1, step):
        yield time, step >= _DAY
