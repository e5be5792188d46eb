"""Rolls up points of changes to points of hours or days. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import NamedTuple

from productator.prices.changes import SCALE, rounded
from productator.prices.segments import EPOCH, MICROSECOND, SECOND

# Fewer points in an hour are exact and take no more room than its mean and what holds at its end.
FEWEST = 3


class StoredPoint(NamedTuple):
    """A row of a product's history: see `PricePoint`."""

    starts_at: datetime
    resolution_s: int
    lowest_price: int | None
    highest_price: int | None
    average_price: int | None
    offers: int
    items_in_stock: int
    mean_lowest_price: int | None = None
    covered_s: float | None = None
    in_stock_s: float | None = None
    mean_offers: int | None = None
    mean_items_in_stock: int | None = None
    is_unbroken: bool | None = None


class RolledUp(NamedTuple):
    """The rows that start in one of the `spans` are to be replaced by those in `points`."""

    spans: list[tuple[datetime, datetime]]
    points: list[StoredPoint]


class _Part(NamedTuple):
    """What a point says of an interval: for how long, and for how long with anything in stock."""

    point: StoredPoint
    covered_us: int
    in_stock_us: int


def roll_up(
    points: Iterable[StoredPoint],
    resolution: timedelta,
    *,
    carried: StoredPoint | None,
    ends_at: datetime | None,
) -> RolledUp:
    """Rolls up each interval in which enough points start; the others stay as they are.

    `carried` is the raw point before the first, at `ends_at` the one after the last starts; if there are any.
    An interval's last state becomes a point of its own where no other follows at once. So the new points
    cover all of the time, none of it twice, and there are never more of them than before.
    """
    rolled = RolledUp([], [])
    added: StoredPoint | None = None
    groups = [(start, list(group)) for start, group in groupby(points, partial(_interval, resolution))]
    following = [*(group[0].starts_at for _, group in groups), ends_at][1:]
    for (start, group), next_at in zip(groups, following, strict=True):
        end, first = start + resolution, added
        added = None
        if first is not None and first.starts_at == start:
            group.insert(0, first)
        if len(group) >= FEWEST:
            if group[0] is first:
                rolled.points.pop()
            rolled.spans.append((start, end))
            rolled.points.append(_mean(start, resolution, list(_parts(carried, group, start, end))))
            if next_at != end and not group[-1].resolution_s:
                added = group[-1]._replace(starts_at=end)
                rolled.points.append(added)
        carried = added or group[-1]
    return rolled


def _interval(resolution: timedelta, point: StoredPoint) -> datetime:
    return EPOCH + (point.starts_at - EPOCH) // resolution * resolution


def _parts(
    carried: StoredPoint | None, group: list[StoredPoint], start: datetime, end: datetime
) -> Iterator[_Part]:
    if carried is not None and group[0].starts_at > start:
        group = [carried._replace(starts_at=start), *group]
    for point, ends_at in zip(group, [*(each.starts_at for each in group[1:]), end], strict=True):
        if point.covered_s is not None and point.in_stock_s is not None:
            yield _Part(point, round(point.covered_s * SECOND), round(point.in_stock_s * SECOND))
        else:
            covered = (ends_at - point.starts_at) // MICROSECOND
            yield _Part(point, covered, 0 if point.lowest_price is None else covered)


def _mean(start: datetime, resolution: timedelta, parts: list[_Part]) -> StoredPoint:
    covered = sum(part.covered_us for part in parts)
    in_stock = sum(part.in_stock_us for part in parts)
    lowest = min((point.lowest_price for point, *_ in parts if point.lowest_price is not None), default=None)
    highest = max(
        (point.highest_price for point, *_ in parts if point.highest_price is not None), default=None
    )
    last = parts[-1].point
    return StoredPoint(
        start,
        round(resolution.total_seconds()),
        lowest,
        highest,
        _weighted([(part.point.average_price, part.in_stock_us) for part in parts], in_stock),
        last.offers,
        last.items_in_stock,
        _weighted([(_mean_lowest(part.point), part.in_stock_us) for part in parts], in_stock),
        covered / SECOND,
        in_stock / SECOND,
        _weighted([(_mean_offers(part.point), part.covered_us) for part in parts], covered),
        _weighted([(_mean_items(part.point), part.covered_us) for part in parts], covered),
        _is_unbroken(parts, lowest) if in_stock else None,
    )


def _is_unbroken(parts: list[_Part], lowest: int | None) -> bool:
    """Whether the lowest price held from the start until stock ran out, if it did."""
    was_out = False
    for point, covered, in_stock in parts:
        # None: a raw point, which has one price.
        if in_stock and (was_out or point.lowest_price != lowest or point.is_unbroken is False):
            return False
        was_out = was_out or in_stock < covered
    return True


def _mean_lowest(point: StoredPoint) -> int | None:
    if point.resolution_s or point.lowest_price is None:
        return point.mean_lowest_price
    return point.lowest_price * SCALE


def _mean_offers(point: StoredPoint) -> int:
    return point.offers * SCALE if point.mean_offers is None else point.mean_offers


def _mean_items(point: StoredPoint) -> int:
    return point.items_in_stock * SCALE if point.mean_items_in_stock is None else point.mean_items_in_stock


def _weighted(means: list[tuple[int | None, int]], weight: int) -> int | None:
    if not weight:
        return None
    return rounded(sum(mean * part for mean, part in means if mean is not None), weight)
