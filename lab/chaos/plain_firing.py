"""When alert rules fire, replayed from the stored history as plainly as possible. Pure.

It knows the whole history of a product, and walks through it once. It shares no code with
`productator.alerts.firing`, which is fed piece by piece by notifiers that are killed.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

OUT_FOR = 600_000_000


class PlainRule(NamedTuple):
    """Times are microseconds."""

    id: int
    kind: str
    product_id: int | None
    price: int | None
    percent: int
    confirm: int
    cooldown: int
    rearm_percent: int
    counts_from: int


class Stretch(NamedTuple):
    """A time in which a product's lowest price is the same; None: nothing is in stock."""

    start: int
    end: int
    price: int | None


class PlainFiring(NamedTuple):
    since: int
    price: int | None


def firings(rule: PlainRule, history: Sequence[Stretch], begins: int) -> list[PlainFiring]:
    """What the rule tells of a product from `begins` on, by its whole history."""
    replay = {"back_in_stock": _returns, "out_of_stock": _absences}.get(rule.kind, _prices)
    return list(replay(rule, history, begins))


def _prices(rule: PlainRule, history: Sequence[Stretch], begins: int) -> Iterator[PlainFiring]:
    is_armed, limit, since = True, None, None
    last_price: int | None = None
    fired_at: int | None = None
    is_first = True
    for start, end, price in _from(history, begins):
        if is_first and _reached(rule, price, _limit(rule, _lowest_before(history, start))):
            is_armed, limit, last_price = False, _limit(rule, _lowest_before(history, start)), price
        is_first = False
        if not is_armed and _is_away(rule, price, limit):
            is_armed, limit, since = True, None, None
        if is_armed:
            if since is not None and not _reached(rule, price, limit):
                since = None
            if since is None:
                limit = _limit(rule, _lowest_before(history, start))
            holds = _reached(rule, price, limit)
        else:
            holds = _reached(rule, price, _beyond(rule, last_price))
        if not holds:
            since = None
            continue
        since = start if since is None else since
        ready = _ready(rule, since, fired_at, start)
        if ready <= end:
            yield PlainFiring(since, price)
            is_armed, since, last_price, fired_at = False, None, price, ready


def _absences(rule: PlainRule, history: Sequence[Stretch], begins: int) -> Iterator[PlainFiring]:
    is_fired: bool | None = None
    since: int | None = None
    fired_at: int | None = None
    for start, end, price in _from(history, begins):
        is_fired = price is None if is_fired is None else is_fired
        if price is not None:
            is_fired, since = False, None
        elif not is_fired:
            since = start if since is None else since
            ready = _ready(rule, since, fired_at, start)
            if ready <= end:
                yield PlainFiring(since, None)
                is_fired, since, fired_at = True, None, ready


def _returns(rule: PlainRule, history: Sequence[Stretch], begins: int) -> Iterator[PlainFiring]:
    out_since: int | None = None
    since: int | None = None
    fired_at: int | None = None
    for start, end, price in _from(history, begins):
        if price is None:
            out_since = start if out_since is None else out_since
            since = None
        elif out_since is not None:
            since = start if since is None else since
            if since + rule.confirm > end:
                continue
            ready = _ready(rule, since, fired_at, start)
            if since - out_since < OUT_FOR:
                out_since = since = None
            elif ready <= end:
                yield PlainFiring(since, price)
                out_since, since, fired_at = None, None, ready


def _from(history: Sequence[Stretch], begins: int) -> Iterator[Stretch]:
    for each in history:
        if each.end > begins or each is history[-1]:
            yield each._replace(start=max(each.start, begins))


def _lowest_before(history: Sequence[Stretch], at: int) -> int | None:
    """Before the price of that time; a run is shorter than the 30 days that count.

    The last price may have been seen for no time yet.
    """
    before = (each for each in history if each.start < at and each.end <= at)
    return min((each.price for each in before if each.price is not None), default=None)


def _ready(rule: PlainRule, since: int, fired_at: int | None, start: int) -> int:
    return max(since + rule.confirm, start, 0 if fired_at is None else fired_at + rule.cooldown)


def _reached(rule: PlainRule, price: int | None, limit: int | None) -> bool:
    if price is None or limit is None:
        return False
    return price >= limit if rule.kind == "rise" else price <= limit


def _is_away(rule: PlainRule, price: int | None, limit: int | None) -> bool:
    if price is None or limit is None:
        return False
    share = Fraction(rule.rearm_percent, 100)
    return price < limit * (1 - share) if rule.kind == "rise" else price > limit * (1 + share)


def _limit(rule: PlainRule, past: int | None) -> int | None:
    if rule.kind == "threshold":
        return rule.price
    if past is None:
        return None
    share = Fraction(rule.percent, 100)
    if rule.kind == "rise":
        return max(past + 1, math.ceil(past * (1 + share)))
    return min(past - 1, math.floor(past * (1 - share)))


def _beyond(rule: PlainRule, fired_price: int | None) -> int | None:
    """5 % beyond the price that was told, and at least 1."""
    if fired_price is None:
        return None
    step = max(1, math.ceil(Fraction(fired_price * 5, 100)))
    return fired_price + step if rule.kind == "rise" else fired_price - step
