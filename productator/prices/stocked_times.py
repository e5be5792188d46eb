"""For how long each price was a product's lowest. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple


class Distribution(NamedTuple):
    """Of one stretch of time: its prices in order, and for how long the price was at most each of them."""

    prices: Sequence[int]
    elapsed: Sequence[int]

    @classmethod
    def of(cls, times: Mapping[int, int]) -> "Distribution":
        prices = sorted(times)
        return cls(prices, list(accumulate(times[price] for price in prices)))

    def until(self, price: int) -> int:
        number = bisect_right(self.prices, price)
        return self.elapsed[number - 1] if number else 0


@dataclass(frozen=True, slots=True)
class StockedTimes:
    """Of several stretches, which are searched one by one: to merge them would take far longer."""

    # None of them is empty.
    parts: Sequence[Distribution]

    def until(self, price: int) -> int:
        """For how long the price was at most this one."""
        return sum([part.until(price) for part in self.parts])

    def at(self, price: int) -> int:
        return self.until(price) - self.until(price - 1)

    @property
    def is_one_price(self) -> bool:
        prices = {price for part in self.parts for price in (part.prices[0], part.prices[-1])}
        return len(prices) == 1

    @property
    def median(self) -> int:
        """The smallest price that was not exceeded for at least half of the time."""
        lowest = min(part.prices[0] for part in self.parts)
        highest = max(part.prices[-1] for part in self.parts)
        half = -(-sum(part.elapsed[-1] for part in self.parts) // 2)
        return lowest + bisect_left(range(lowest, highest), half, key=self.until)
