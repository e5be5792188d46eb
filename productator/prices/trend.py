"""The trend of a product's lowest price through a range of time. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, NamedTuple

from productator.prices.changes import SCALE, rounded
from productator.prices.ratio import Ratio
from productator.prices.segments import DAY, LowestPrice
from productator.prices.stocked_times import Distribution, StockedTimes

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
    times: StockedTimes
    # When anything was last in stock; None: never.
    stocked_until: int | None
    # When the last price was applied, if there is one: stock may have run out since, but not for long.
    applied_at: int
    # None: nothing was ever in stock.
    figures: TrendFigures | None

    @property
    def in_stock_share(self) -> Ratio:
        return Ratio(self.in_stock, self.end - self.start)


class Stocked(NamedTuple):
    """The figures of a stretch of time with anything in stock, and what its neighbours have to know."""

    first: PriceAt
    last: PriceAt
    lowest: PriceAt
    highest: PriceAt
    in_stock: int
    # The sum of prices, in 1/SCALE, each times its time.
    weighted: int
    until: int
    applied_at: int
    # Of the first segment in stock: whether its price held without a break, and whether it has one price.
    begins_unbroken: bool
    begins_with_one_price: bool
    # Of the last one: whether its price held without a break to its end, and whether it has one price.
    ends_steady: bool
    ends_with_one_price: bool


class TrendPart(NamedTuple):
    """A part of a trend, from one time to another without a gap."""

    start: int
    end: int
    # Both None: nothing was in stock.
    stocked: Stocked | None
    times: Distribution | None


def trend_of(prices: Iterable[LowestPrice]) -> PriceTrend | None:
    """None: nothing is known."""
    part = part_of(prices)
    return joined([part]) if part else None


def part_of(prices: Iterable[LowestPrice]) -> TrendPart | None:
    """Looks at each segment once, since there may be very many; None: nothing is known."""
    start = end = stocked_until = first = lowest = highest = None
    in_stock = weighted = last_price = last_at = applied_at = 0
    times: defaultdict[int, int] = defaultdict(int)
    was_steady = was_one_price = begins_unbroken = begins_with_one_price = False
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
            first, begins_unbroken, begins_with_one_price = PriceAt(price, begins), is_unbroken, is_one_price
        stocked_until, was_steady = end, is_unbroken and stocked == end - begins
        was_one_price = is_one_price
    if start is None or end is None:
        return None
    if not (first and lowest and highest and stocked_until is not None):
        return TrendPart(start, end, None, None)
    stocked_time = Stocked(
        first,
        PriceAt(last_price, last_at),
        lowest,
        highest,
        in_stock,
        weighted,
        stocked_until,
        applied_at,
        begins_unbroken,
        begins_with_one_price,
        was_steady,
        was_one_price,
    )
    return TrendPart(start, end, stocked_time, Distribution.of(times))


def joined(parts: Sequence[TrendPart]) -> PriceTrend | None:
    """Of parts that follow each other: the same as of all their segments; None: nothing is known."""
    if not parts:
        return None
    start, end = parts[0].start, parts[-1].end
    times = StockedTimes([part.times for part in parts if part.times])
    stocked = [part.stocked for part in parts if part.stocked]
    if not stocked:
        return PriceTrend(start, end, 0, times, None, 0, None)
    whole = reduce(_followed, stocked)
    mean = Ratio(whole.weighted, whole.in_stock * SCALE)
    figures = TrendFigures(whole.first, whole.last, whole.lowest, whole.highest, mean, times.median)
    return PriceTrend(start, end, whole.in_stock, times, whole.until, whole.applied_at, figures)


def _followed(before: Stocked, after: Stocked) -> Stocked:
    """Both as one. A price that held from the first segment of `after` on may have begun in `before`."""
    begins = after.first.at
    is_same = after.first.price == before.last.price
    goes_on = is_same and begins == before.until and after.begins_unbroken and before.ends_steady
    stays_applied = goes_on or (
        is_same
        and after.begins_with_one_price
        and before.ends_with_one_price
        and begins - before.until < LONGEST_BREAK
    )
    return after._replace(
        first=before.first,
        last=before.last if goes_on and after.last.at == begins else after.last,
        # Of equal prices the first.
        lowest=before.lowest if before.lowest.price <= after.lowest.price else after.lowest,
        highest=before.highest if before.highest.price >= after.highest.price else after.highest,
        in_stock=before.in_stock + after.in_stock,
        weighted=before.weighted + after.weighted,
        applied_at=before.applied_at if stays_applied and after.applied_at == begins else after.applied_at,
        begins_unbroken=before.begins_unbroken,
        begins_with_one_price=before.begins_with_one_price,
    )
