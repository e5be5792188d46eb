"""The course of a product's lowest price through a range of time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from productator.prices.changes import SCALE, rounded
from productator.prices.ratio import Ratio
from productator.prices.segments import LowestPrice


class Priced(NamedTuple):
    """A price, and when it began to hold within the range that is asked about."""

    price: int
    at: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Of the lowest price, over the time in stock."""

    first: Priced
    last: Priced
    lowest: Priced
    highest: Priced
    mean: Ratio
    median: int

    @property
    def change(self) -> int:
        return self.last.price - self.first.price

    @property
    def change_percent(self) -> Ratio | None:
        """None: of a first price of 0 there are no percents."""
        return Ratio(100 * self.change, self.first.price) if self.first.price else None

    @property
    def direction(self) -> Literal["up", "down", "same"]:
        if self.change == 0:
            return "same"
        return "up" if self.change > 0 else "down"


@dataclass(frozen=True, slots=True)
class Course:
    """What is known from some time on."""

    start: int
    end: int
    in_stock: int
    # For how long each price was the lowest.
    times: Mapping[int, int]
    # When anything was last in stock; None: never.
    stocked_until: int | None
    trend: Trend | None

    @property
    def in_stock_share(self) -> Ratio:
        return Ratio(self.in_stock, self.end - self.start)


def follow(prices: Iterable[LowestPrice]) -> Course | None:
    """Looks at each stretch once, since there may be very many; None: nothing is known."""
    start = end = stocked_until = first = lowest = highest = None
    in_stock = weighted = last_price = last_at = 0
    times: defaultdict[int, int] = defaultdict(int)
    was_steady = False
    for begins, end, low, mean, stocked, is_unbroken in prices:
        if start is None:
            start = begins
        if not stocked:
            continue
        # The one that stands for the stretch: where it was rolled up, the mean.
        price = low if is_unbroken else rounded(mean, SCALE)
        times[price] += stocked
        in_stock += stocked
        weighted += mean * stocked
        if price != last_price or begins != stocked_until or not (is_unbroken and was_steady):
            last_price, last_at = price, begins
        # Of equal prices the first.
        if lowest is None or low < lowest.price:
            lowest = Priced(low, begins)
        if highest is None or price > highest.price:
            highest = Priced(price, begins)
        if first is None:
            first = Priced(price, begins)
        stocked_until, was_steady = end, is_unbroken and stocked == end - begins
    if start is None or end is None:
        return None
    trend = None
    if first and lowest and highest:
        last, mean_price = Priced(last_price, last_at), Ratio(weighted, in_stock * SCALE)
        trend = Trend(first, last, lowest, highest, mean_price, _median(times))
    return Course(start, end, in_stock, times, stocked_until, trend)


def _median(times: Mapping[int, int]) -> int:
    """The smallest price that was not exceeded for at least half of the time."""
    ordered = sorted(times)
    elapsed = accumulate(times[price] for price in ordered)
    whole = sum(times.values())
    return next(price for price, time in zip(ordered, elapsed, strict=True) if 2 * time >= whole)
