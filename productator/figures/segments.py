"""What held when: stretches of time without gap or overlap, made of stored points."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple

from productator.figures.ratio import Ratio
from productator.history import SCALE, rounded

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# The end of what holds until something else does.
OPEN = 2**62


class Prices(NamedTuple):
    """Of the offers in stock. Of a stretch that was rolled up: what was reached, and means over time."""

    lowest: int
    highest: int
    mean: int  # in 1/SCALE, as it is stored
    mean_lowest: int  # in 1/SCALE

    @property
    def usual(self) -> int:
        """The lowest price that stands for the time: where it was rolled up, the mean one."""
        return rounded(self.mean_lowest, SCALE)


class Segment(NamedTuple):
    """What held in the time [start, end)."""

    start: int
    end: int
    prices: Prices | None  # None: nothing was in stock
    offers: int
    items_in_stock: int
    in_stock: int  # for how long anything was: all of the time or none, or any part if it was rolled up

    @property
    def length(self) -> int:
        return self.end - self.start

    def part(self, start: int, end: int) -> "Segment":
        """What held in a part of the time; its share of the time in stock is the part's of the whole."""
        if (start, end) == (self.start, self.end):
            return self
        before = self.in_stock * (start - self.start) // self.length
        until = self.in_stock * (end - self.start) // self.length
        return Segment(start, end, self.prices, self.offers, self.items_in_stock, until - before)


def microseconds(time: datetime) -> int:
    """Since 1970, as all times are counted here."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(since_1970: int) -> datetime:
    return _EPOCH + since_1970 * _MICROSECOND


def between(stored: Sequence[Segment], start: int, end: int) -> list[Segment]:
    """What held in [start, end), from the first time on that anything is known; `stored` comes by start.

    What is OPEN holds until the next one starts.
    """
    found = []
    for segment, following in zip_longest(stored, stored[1:]):
        begin = max(segment.start, start)
        finish = min(segment.end, end, following.start if following else end)
        if begin < finish:
            found.append(segment.part(begin, finish))
    return found


def since(segments: Iterable[Segment], start: int) -> list[Segment]:
    """What of the segments is not before `start`."""
    return [each.part(max(each.start, start), each.end) for each in segments if each.end > start]


# A segment in which anything was in stock, with its prices.
Stocked = tuple[Segment, Prices]


def stocked(segments: Iterable[Segment]) -> list[Stocked]:
    return [(each, each.prices) for each in segments if each.prices and each.in_stock]


def in_stock_share(segments: Sequence[Segment]) -> Ratio | None:
    """The part of the time that is known in which anything was in stock; None: nothing is known."""
    if not segments:
        return None
    return Ratio(sum(each.in_stock for each in segments), segments[-1].end - segments[0].start)
