"""Where a product's lowest price went in a range of time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, NamedTuple

from productator.figures.ratio import Ratio
from productator.figures.segments import Segment, Stocked, stocked
from productator.history import SCALE


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


def trend(segments: Sequence[Segment]) -> Trend | None:
    """None: nothing was in stock."""
    found = stocked(segments)
    if not found:
        return None
    usual = [Priced(prices.usual, segment.start) for segment, prices in found]
    weight = sum(segment.in_stock for segment, _ in found) * SCALE
    return Trend(
        first=usual[0],
        last=last_price(found),
        lowest=min(Priced(prices.lowest, segment.start) for segment, prices in found),
        highest=max(usual, key=lambda priced: priced.price),  # of equal ones the first
        mean=Ratio(sum(prices.mean_lowest * segment.in_stock for segment, prices in found), weight),
        median=_median(found),
    )


def last_price(found: Sequence[Stocked]) -> Priced:
    """The last price, and since when it has held without a break."""
    (last, last_prices), *earlier = reversed(found)
    price, start = last_prices.usual, last.start
    for segment, prices in earlier:
        if segment.end != start or segment.in_stock < segment.length or prices.usual != price:
            break
        start = segment.start
    return Priced(price, start)


def _median(found: Sequence[Stocked]) -> int:
    """The smallest price that was not exceeded for at least half of the time."""
    times: Counter[int] = Counter()
    for segment, prices in found:
        times[prices.usual] += segment.in_stock
    ordered = sorted(times)
    elapsed = accumulate(times[price] for price in ordered)
    whole = times.total()
    return next(price for price, time in zip(ordered, elapsed, strict=True) if 2 * time >= whole)
