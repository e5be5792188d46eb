"""The lowest price of each of the last days of a product: what a list shows of its past. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from productator.prices.changes import rounded
from productator.prices.segments import DAY, LowestPrice

# Today, and the 30 days before.
DAYS = 31

Lows = tuple[int | None, ...]


class DayLows(NamedTuple):
    """The last element is the low of `day`, counted from 1970 in UTC; None: nothing was in stock that day."""

    lowest_price: int | None
    day: int
    lows: Lows

    @property
    def change_permille(self) -> int | None:
        """From the first known day to now, half away from 0; None: there are no two prices to compare."""
        known = [low for low in self.lows if low is not None]
        if self.lowest_price is None or not known or not known[0]:
            return None
        change = self.lowest_price - known[0]
        permille = rounded(abs(change) * 1_000, known[0])
        return permille if change > 0 else -permille

    @property
    def is_lowest(self) -> bool:
        """Whether the price now is the lowest of all the days, and was higher on one of them."""
        known = [low for low in self.lows if low is not None]
        return self.lowest_price is not None and min(known) == self.lowest_price < max(known)


def observed(before: DayLows | None, lowest_price: int | None, *, today: int) -> DayLows:
    """After a product's lowest price has become this one."""
    days = as_of(before, today=today).lows if before else (None,)
    return DayLows(lowest_price, today, (*days[:-1], _lower(days[-1], lowest_price)))


def as_of(known: DayLows, *, today: int) -> DayLows:
    """The same today, if the price has stayed since."""
    passed = today - known.day
    if passed < 0:  # a clock was ahead
        return DayLows(known.lowest_price, today, known.lows[:passed] or known.lows[:1])
    lows = (*known.lows, *(known.lowest_price,) * min(passed, DAYS))
    return DayLows(known.lowest_price, today, lows[-DAYS:])


def of_history(prices: Iterable[LowestPrice], lowest_price: int | None, *, today: int) -> DayLows:
    """From the recorded history of the days, and the price now."""
    lows: dict[int, int | None] = {}
    for each in prices:
        price = each.lowest if each.in_stock else None
        for day in range(each.start // DAY, (each.end - 1) // DAY + 1):
            lows[day] = _lower(lows.get(day), price)
    first = min([day for day in lows if day > today - DAYS], default=today)
    known = tuple(lows.get(day) for day in range(first, today))
    return DayLows(lowest_price, today, (*known, _lower(lows.get(today), lowest_price)))


def text_of(lows: Sequence[int | None]) -> str:
    return ",".join("" if low is None else str(low) for low in lows)


def lows_in(text: str) -> Lows:
    return tuple(int(low) if low else None for low in text.split(","))


def _lower(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)
