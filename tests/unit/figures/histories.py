"""Random histories, as ticks for the plain model and as segments; and builders of single segments."""

import os
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from productator.domain import MAX_AMOUNT
from productator.figures.ratio import Ratio
from productator.figures.segments import OPEN, Prices, Segment, microseconds
from tests.unit.figures.plain_model import Offers, Timeline, timeline

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# A thorough run takes 10,000.
random_histories = settings(max_examples=int(os.environ.get("TESTS_RANDOM_HISTORIES", "100")), deadline=None)

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
    def stored(self) -> list[Segment]:
        return [raw(at * self.unit, state) for at, state in self.changes]

    @property
    def range(self) -> tuple[int, int]:
        return self.start * self.unit, self.end * self.unit


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


def raw(at: int, state: Offers) -> Segment:
    prices = None
    if state.prices:
        lowest, highest, average = state.prices
        prices = Prices(lowest, highest, average, lowest * 1000)
    return Segment(at, OPEN, prices, state.offers, state.items, OPEN - at if prices else 0)


def priced(start: int, end: int, price: int, **over: Any) -> Segment:
    """A stretch with one offer in stock."""
    prices = Prices(price, price, price * 1000, price * 1000)
    return Segment(start, end, prices, offers=1, items_in_stock=1, in_stock=end - start)._replace(**over)


def sold_out(start: int, end: int) -> Segment:
    return Segment(start, end, None, offers=1, items_in_stock=0, in_stock=0)


def exact(value: object) -> object:
    """Ratios as Python's fractions, which are equal when their values are."""
    return Fraction(*value) if isinstance(value, Ratio) else value


def plain(figures: object) -> dict[str, object]:
    """A dataclass of figures as the plain model writes it."""
    return {field.name: exact(getattr(figures, field.name)) for field in fields(figures)}
