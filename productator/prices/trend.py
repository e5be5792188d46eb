"""The trend of a product's lowest price through a range of time. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from productator.prices.changes import SCALE, rounded
from productator.prices.ratio import Ratio
from productator.prices.segments import DAY, LowestPrice

# A price that comes back after a shorter time without stock was applied all the time.
LONGEST_BREAK = 30 * DAY


class PriceAt(NamedTuple):
    """A price, and when it began to hold within the range that is asked about."""

    price: int
    at: int


@dataclass(frozen=True, slots=True)
class TrendFigures:
    """Of the lowest price, over the time in stock."""

    first: PriceAt
    last: PriceAt
    lowest: PriceAt
    highest: PriceAt
    mean: Ratio
    median: int

    @property
    def change(self) -> int:
        return self.last.price - self.first.price

    @property
    def change_percent(self) -> Ratio | None:
        """None: there is no percentage of a first price of 0."""
        return Ratio(100 * self.change, self.first.price) if self.first.price else None

    @property
    def direction(self) -> Literal["up", "down", "same"]:
        if self.change == 0:
            return "same"
        return "up" if self.change > 0 else "down"


@dataclass(frozen=True, slots=True)
class PriceTrend:
    """What is known from `start` on, where the first record of the range begins."""

    start: int
    end: int
    in_stock: int
    # For how long each price was the lowest.
    times: Mapping[int, int]
    # When anything was last in stock; None: never.
    stocked_until: int | None
    # When the last price was applied, if there is one: stock may have run out since, but not for long.
    applied_at: int
    # None: nothing was ever in stock.
    figures: TrendFigures | None

    @property
    def in_stock_share(self) -> Ratio:
        return Ratio(self.in_stock, self.end - self.start)


def trend_of(prices: Iterable[LowestPrice]) -> PriceTrend | None:
    """Looks at each segment once, since there may be very many; None: nothing is known."""
    start = end = stocked_until = first = lowest = highest = None
    in_stock = weighted = last_price = last_at = applied_at = 0
    times: defaultdict[int, int] = defaultdict(int)
    was_steady = was_one_price = False
    for begins, end, low, mean, stocked, is_unbroken in prices:
        if start is None:
            start = begins
        if not stocked:
            continue
        # The price that stands for the segment: where that was rolled up, the mean.
        price = low if is_unbroken else rounded(mean, SCALE)
        times[price] += stocked
        in_stock += stocked
        weighted += mean * stocked
        is_one_price = is_unbroken or mean == low * SCALE
        if price != last_price or begins != stocked_until or not (is_unbroken and was_steady):
            is_same = price == last_price and is_one_price and was_one_price
            is_applied = is_same and stocked_until is not None and begins - stocked_until < LONGEST_BREAK
            applied_at = applied_at if is_applied else begins
            last_price, last_at = price, begins
        # Of equal prices the first.
        if lowest is None or low < lowest.price:
            lowest = PriceAt(low, begins)
        if highest is None or price > highest.price:
            highest = PriceAt(price, begins)
        if first is None:
            first = PriceAt(price, begins)
        stocked_until, was_steady = end, is_unbroken and stocked == end - begins
        was_one_price = is_one_price
    if start is None or end is None:
        return None
    figures = None
    if first and lowest and highest:
        last, mean_price = PriceAt(last_price, last_at), Ratio(weighted, in_stock * SCALE)
        figures = TrendFigures(first, last, lowest, highest, mean_price, _median(times))
    return PriceTrend(start, end, in_stock, times, stocked_until, applied_at, figures)


def _median(times: Mapping[int, int]) -> int:
    """The smallest price that was not exceeded for at least half of the time."""
    ordered = sorted(times)
    elapsed = accumulate(times[price] for price in ordered)
    whole = sum(times.values())
    return next(price for price, time in zip(ordered, elapsed, strict=True) if 2 * time >= whole)
