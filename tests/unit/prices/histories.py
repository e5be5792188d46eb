"""Random histories, as ticks for the plain model and as what is read of stored records."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st

from productator.domain import MAX_AMOUNT
from productator.prices.ratio import Ratio
from productator.prices.records import PointNumbers, lowest_prices_of, segments_of
from productator.prices.segments import LowestPrice, Segment, TimeRange, between, microseconds
from productator.prices.trend import PriceTrend, TrendFigures
from tests.unit.prices.plain_model import Offers, PlainTrend, Timeline, timeline

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# A thorough run takes 10,000.
random_histories = settings(max_examples=int(os.environ.get("TESTS_RANDOM_HISTORIES", "100")))

# Where minutes, hours, days and weeks begin, in turns of years and leap years, too.
_BOUNDARIES = [
    microseconds(datetime(*day, tzinfo=UTC))
    for day in ((2026, 11, 23), (2027, 1, 1), (2026, 12, 28), (2024, 2, 29), (2020, 12, 28), (2038, 1, 19))
]
_PRICES = st.one_of(st.integers(0, 3), st.sampled_from([99, 100, 101, MAX_AMOUNT - 1, MAX_AMOUNT]))


@dataclass(frozen=True)
class History:
    changes: list[tuple[int, Offers]]
    start: int
    end: int
    unit: int

    @property
    def line(self) -> Timeline:
        return timeline(self.changes, self.start, self.end, self.unit)

    @property
    def segments(self) -> list[Segment]:
        return list(between(segments_of(self._numbers, self.range.end), self.range))

    @property
    def lowest_prices(self) -> list[LowestPrice]:
        numbers = [each[:2] for each in self._numbers]
        return list(between(lowest_prices_of(numbers, self.range.end), self.range))

    @property
    def _numbers(self) -> list[PointNumbers]:
        """As they are read: what starts after the range is not."""
        return [
            (at * self.unit, *(state.prices or (None, None, None)), state.offers, state.items)
            for at, state in self.changes
            if at < self.end
        ]

    @property
    def range(self) -> TimeRange:
        return TimeRange(self.start * self.unit, self.end * self.unit)


@st.composite
def _offers(draw: st.DrawFn) -> Offers:
    if draw(st.integers(0, 3)) == 0:
        return Offers(None, draw(st.integers(0, 2)), 0)
    lowest, highest = sorted([draw(_PRICES), draw(_PRICES)])
    average = draw(st.integers(lowest * 1000, highest * 1000))
    return Offers((lowest, highest, average), draw(st.integers(1, 4)), draw(_PRICES) + 1)


@st.composite
def histories(draw: st.DrawFn, unit: int, *, ticks: int = 50) -> History:
    """Changes before, in and after a range that begins near a boundary."""
    start = draw(st.sampled_from(_BOUNDARIES)) // unit + draw(st.integers(-ticks, ticks))
    end = start + draw(st.integers(1, ticks))
    at = draw(st.lists(st.integers(start - 5, end + 2), max_size=12, unique=True).map(sorted))
    return History([(each, draw(_offers())) for each in at], start, end, unit)


def exact(value: object) -> object:
    """Ratios as Python's fractions, which are equal when their values are."""
    return Fraction(*value) if isinstance(value, Ratio) else value


def plain(found: TrendFigures | None) -> PlainTrend | None:
    """Figures of a trend as the plain model writes them."""
    if found is None:
        return None
    return PlainTrend(
        first=found.first,
        last=found.last,
        lowest=found.lowest,
        highest=found.highest,
        mean=Fraction(*found.mean),
        median=found.median,
        change=found.change,
        change_percent=found.change_percent and Fraction(*found.change_percent),
        direction=found.direction,
    )


def comparable(trend: PriceTrend | None) -> tuple[object, ...] | None:
    """All that the trend says, for how long each price was the lowest included."""
    if trend is None:
        return None
    prices = {price for part in trend.times.parts for price in part.prices}
    times = {price: trend.times.at(price) for price in prices}
    of_all = (trend.start, trend.end, trend.in_stock, trend.stocked_until, trend.applied_at)
    return (*of_all, plain(trend.figures), times)
