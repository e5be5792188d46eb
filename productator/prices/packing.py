"""The figures of a day as they are stored, and back. Pure."""

import json
import sys
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from productator.prices.buckets import HistoryPoint, Spread
from productator.prices.changes import SCALE
from productator.prices.ratio import Ratio
from productator.prices.segments import new
from productator.prices.stocked_times import Distribution
from productator.prices.trend import PriceAt, Stocked, TrendPart

_NOTHING = b""


def packed_trend(part: TrendPart) -> str:
    return json.dumps((part.start, part.end, part.stocked), separators=(",", ":"))


def packed_times(part: TrendPart) -> bytes:
    """64-bit numbers, which are read a hundred times as fast as text: all prices, then all times."""
    return _bytes_of([*part.times.prices, *part.times.elapsed]) if part.times else _NOTHING


def unpacked_trend(trend: str, times: bytes) -> TrendPart:
    start, end, stocked = json.loads(trend)
    if stocked is None:
        return TrendPart(start, end, None, None)
    first, last, lowest, highest, *others = stocked
    numbers = _numbers_in(times)
    half = len(numbers) // 2
    prices = (PriceAt(*first), PriceAt(*last), PriceAt(*lowest), PriceAt(*highest))
    return TrendPart(start, end, Stocked(*prices, *others), Distribution(numbers[:half], numbers[half:]))


def packed_hours(points: Iterable[HistoryPoint]) -> str:
    return json.dumps([_sums(point) for point in points], separators=(",", ":"))


def unpacked_hours(text: str) -> list[HistoryPoint]:
    return [_point(sums) for sums in json.loads(text)]


def _sums(point: HistoryPoint) -> tuple[int | None, ...]:
    """Whole numbers that are as exact as the point: means are sums over their time."""
    prices = point.prices
    of_prices = (
        (prices.lowest, prices.highest, prices.mean.numerator, prices.mean_lowest.numerator)
        if prices
        else (None,) * 4
    )
    in_stock = point.in_stock_share.numerator
    return (
        point.start,
        point.end,
        in_stock,
        point.offers.numerator,
        point.items_in_stock.numerator,
        *of_prices,
    )


def _point(sums: Sequence[Any]) -> HistoryPoint:
    start, end, in_stock, offers, items, lowest, highest, mean, mean_lowest = sums
    prices = None
    if in_stock:
        weight = in_stock * SCALE
        mean_ratio, lowest_ratio = new(Ratio, (mean, weight)), new(Ratio, (mean_lowest, weight))
        prices = new(Spread, (lowest, highest, mean_ratio, lowest_ratio))
    whole = (end - start) * SCALE
    offers_ratio, items_ratio = new(Ratio, (offers, whole)), new(Ratio, (items, whole))
    share = new(Ratio, (in_stock, end - start))
    return new(HistoryPoint, (start, end, prices, offers_ratio, items_ratio, share))


def _bytes_of(numbers: Iterable[int]) -> bytes:
    return _in_order(array("q", numbers)).tobytes()


def _numbers_in(packed: bytes) -> "array[int]":
    numbers = array("q")
    numbers.frombytes(packed)
    return _in_order(numbers)


def _in_order(numbers: "array[int]") -> "array[int]":
    """Little-endian on every machine: several may use one database."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
