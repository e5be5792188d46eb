"""What the firing rules say, second by second and as plainly as possible: slow, and obviously right.

It knows the whole history, one price a second, and walks through it once. `productator.alerts.firing` must
fire at the same seconds for the same causes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from productator.alerts.firing import Kind


@dataclass(frozen=True)
class PlainRule:
    kind: Kind
    price: int
    percent: float
    confirm_s: int
    cooldown_s: int
    rearm_percent: float


@dataclass(frozen=True)
class PlainFiring:
    second: int
    since: int
    price: int | None


OUT_FOR_S = 600


def firings(rule: PlainRule, prices: Sequence[int | None], past: Sequence[int | None]) -> list[PlainFiring]:
    """When the rule fires; `prices[s]` and `past[s]` are the price and the past lowest in the second s."""
    if rule.kind is Kind.BACK_IN_STOCK:
        return _returns(rule, prices)
    if rule.kind is Kind.OUT_OF_STOCK:
        return _absences(rule, prices)
    return _prices(rule, prices, past)


def _prices(rule: PlainRule, prices: Sequence[int | None], past: Sequence[int | None]) -> list[PlainFiring]:
    found: list[PlainFiring] = []
    rises = rule.kind is Kind.RISE
    last_price: int | None = None
    limit: Fraction | None = None
    is_armed = True
    if _reached(rule, prices[0], _limit(rule, past[0], None)):
        # True already when the rule is made: no news.
        is_armed, limit, last_price = False, _limit(rule, past[0], None), prices[0]
    since: int | None = None
    for second, price in enumerate(prices):
        if not is_armed and price is not None and limit is not None:
            away = _share(rule.rearm_percent)
            if (price < limit * (1 - away)) if rises else (price > limit * (1 + away)):
                is_armed, limit, since = True, None, None
        if is_armed:
            if since is not None and not _reached(rule, price, limit):
                since = None
            limit = limit if since is not None else _limit(rule, past[second], last_price)
            holds = _reached(rule, price, limit)
        else:
            holds = _reached(rule, price, _beyond(rule, last_price))
        if not holds:
            since = None
            continue
        since = second if since is None else since
        ready = _ready(rule, found, since, second)
        if ready <= second + 1:
            found.append(PlainFiring(ready, since, price))
            is_armed, since, last_price = False, None, price
    return found


def _limit(rule: PlainRule, past: int | None, last_price: int | None) -> Fraction | None:
    # A whole price, as all prices are.
    if rule.kind is Kind.THRESHOLD:
        return Fraction(rule.price)
    if past is None:
        return None
    if rule.kind is Kind.DROP:
        return Fraction(min(past - 1, math.floor(past * (1 - _share(rule.percent)))))
    if rule.kind is Kind.RISE:
        return Fraction(max(past + 1, math.ceil(past * (1 + _share(rule.percent)))))
    beyond = _beyond(rule, last_price)
    return Fraction(past - 1 if beyond is None else min(past - 1, math.floor(beyond)))


def _share(percent: float) -> Fraction:
    # 28.3 percent, not the float beside it.
    return Fraction(str(percent)) / 100


def _beyond(rule: PlainRule, last_price: int | None) -> Fraction | None:
    if last_price is None:
        return None
    share = {Kind.RISE: Fraction(105, 100), Kind.NEW_LOW: Fraction(99, 100)}.get(rule.kind, Fraction(95, 100))
    if rule.kind is Kind.RISE:
        return max(last_price * share, Fraction(last_price + 1))
    return min(last_price * share, Fraction(last_price - 1))


def _reached(rule: PlainRule, price: int | None, limit: Fraction | None) -> bool:
    if price is None or limit is None:
        return False
    return price >= limit if rule.kind is Kind.RISE else price <= limit


def _absences(rule: PlainRule, prices: Sequence[int | None]) -> list[PlainFiring]:
    found: list[PlainFiring] = []
    is_fired = prices[0] is None
    since: int | None = None
    for second, price in enumerate(prices):
        if price is not None:
            is_fired, since = False, None
            continue
        if is_fired:
            continue
        since = second if since is None else since
        ready = _ready(rule, found, since, second)
        if ready <= second + 1:
            found.append(PlainFiring(ready, since, None))
            is_fired, since = True, None
    return found


def _returns(rule: PlainRule, prices: Sequence[int | None]) -> list[PlainFiring]:
    found: list[PlainFiring] = []
    out_since: int | None = None
    back_since: int | None = None
    for second, price in enumerate(prices):
        if price is None:
            out_since = second if out_since is None else out_since
            back_since = None
            continue
        if out_since is None:
            continue
        back_since = second if back_since is None else back_since
        if second + 1 < back_since + rule.confirm_s:
            continue
        ready = _ready(rule, found, back_since, second)
        if back_since - out_since < OUT_FOR_S:
            out_since = back_since = None
        elif ready <= second + 1:
            found.append(PlainFiring(ready, back_since, price))
            out_since = back_since = None
    return found


def _ready(rule: PlainRule, found: list[PlainFiring], since: int, second: int) -> int:
    """When it may fire at the earliest: confirmed, after the cooldown, and not before this second."""
    cool = found[-1].second + rule.cooldown_s if found else 0
    return max(since + rule.confirm_s, cool, second)
