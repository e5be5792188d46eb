"""The figures by brute force: time is a list of ticks, each with its offers, and everything is counted.

Shares no code with `productator.prices`; calendars are Python's, fractions are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400_000_000


class Offers(NamedTuple):
    """What a tick knows; `prices` are the lowest, the highest and the average in thousandths."""

    prices: tuple[int, int, int] | None
    offers: int
    items: int


@dataclass(frozen=True)
class Timeline:
    """The offers in each tick from number `start` on; None: not known."""

    start: int
    ticks: list[Offers | None]
    unit: int  # microseconds of a tick

    @property
    def known(self) -> list[tuple[int, Offers]]:
        return [(number, tick) for number, tick in enumerate(self.ticks, self.start) if tick is not None]

    @property
    def priced(self) -> list[tuple[int, int]]:
        """The lowest price in each tick in stock, by time in microseconds."""
        return [(number * self.unit, tick.prices[0]) for number, tick in self.known if tick.prices]


class PlainTrend(NamedTuple):
    """Prices with the times, in microseconds, at which they began to hold."""

    first: tuple[int, int]
    last: tuple[int, int]
    lowest: tuple[int, int]
    highest: tuple[int, int]
    mean: Fraction
    median: int
    change: int
    change_percent: Fraction | None
    direction: str


class PlainStanding(NamedTuple):
    """How the current price compares with the past; None where nothing is in stock now."""

    current: tuple[int, int] | None
    percentile: Fraction | None
    reference_range: tuple[int, int] | None


def timeline(changes: list[tuple[int, Offers]], start: int, end: int, unit: int) -> Timeline:
    """Ticks [start, end) of a history of changes, each at its tick."""
    known = [[state for at, state in changes if at <= tick] for tick in range(start, end)]
    return Timeline(start, [states[-1] if states else None for states in known], unit)


def calendar(interval: str, time: datetime) -> tuple[int, ...]:
    """What all times of an interval have in common."""
    year, week, _ = time.isocalendar()
    return {
        "minute": (time.year, time.month, time.day, time.hour, time.minute),
        "hour": (time.year, time.month, time.day, time.hour),
        "day": (time.year, time.month, time.day),
        "week": (year, week),
    }[interval]


def mean(values: Sequence[int], *, of: int = 1) -> Fraction | None:
    return Fraction(sum(values), len(values) * of) if values else None


def points(line: Timeline, interval: str) -> list[tuple[object, ...]]:
    """Start, end, lowest, highest, average, average lowest, offers, items, share in stock."""

    def key(each: tuple[int, Offers]) -> tuple[int, ...]:
        return calendar(interval, EPOCH + timedelta(microseconds=each[0] * line.unit))

    return [_point([*group], line.unit) for _, group in groupby(line.known, key=key)]


def _point(ticks: list[tuple[int, Offers]], unit: int) -> tuple[object, ...]:
    prices = [tick.prices for _, tick in ticks if tick.prices]
    return (
        ticks[0][0] * unit,
        (ticks[-1][0] + 1) * unit,
        min((lowest for lowest, _, _ in prices), default=None),
        max((highest for _, highest, _ in prices), default=None),
        mean([average for _, _, average in prices], of=1000),
        mean([lowest for lowest, _, _ in prices]),
        mean([tick.offers for _, tick in ticks]),
        mean([tick.items for _, tick in ticks]),
        Fraction(len(prices), len(ticks)),
    )


def trend(line: Timeline) -> PlainTrend | None:
    if not line.priced:
        return None
    times, prices = zip(*line.priced, strict=True)
    return PlainTrend(
        first=(prices[0], times[0]),
        last=(prices[-1], last_price_since(line)),
        lowest=(min(prices), times[prices.index(min(prices))]),
        highest=(max(prices), times[prices.index(max(prices))]),
        mean=Fraction(sum(prices), len(prices)),
        median=sorted(prices)[(len(prices) - 1) // 2],
        change=prices[-1] - prices[0],
        change_percent=(Fraction(prices[-1], prices[0]) - 1) * 100 if prices[0] else None,
        direction={-1: "down", 0: "same", 1: "up"}[(prices[-1] > prices[0]) - (prices[-1] < prices[0])],
    )


def last_price_since(line: Timeline) -> int:
    """When the last price began to hold."""
    by_time = dict(line.priced)
    time, price = line.priced[-1]
    while by_time.get(time - line.unit) == price:
        time -= line.unit
    return time


def last_price_applied(line: Timeline) -> int:
    """When the last price was applied, if less than 30 days without stock do not count."""
    since, price = line.priced[-1]
    for time, other in reversed(line.priced):
        if other != price or since - (time + line.unit) >= 30 * DAY:
            break
        since = time
    return since


def lowest(line: Timeline, start: int, end: int) -> tuple[int, int] | None:
    """Price and time of the lowest in [start, end), in microseconds."""
    return min(((price, time) for time, price in line.priced if start <= time < end), default=None)


def standing(line: Timeline, now: int) -> PlainStanding:
    """Of the 90 days until `now`, which is where the last tick ends."""
    last = line.ticks[-1]
    if last is None or last.prices is None:
        return PlainStanding(None, None, None)
    price, since = last.prices[0], last_price_since(line)
    applied = last_price_applied(line)
    percentile = Fraction(100 * sum(each < price for _, each in line.priced), len(line.priced))
    reference = (applied - 30 * DAY, applied) if applied > now - 90 * DAY else None
    return PlainStanding((price, since), percentile, reference)
