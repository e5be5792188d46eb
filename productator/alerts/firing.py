"""When a rule fires for a product, by what is known of the product through time. Pure.

A rule is armed until its condition has held without a break for the time that confirms it. Then it fires, and
stays fired until the price has moved away again far enough (it is armed again), or goes on beyond the price
that was told (it fires again). Between two firings lies the cooldown. Times are microseconds since 1970.
"""

from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from productator.prices.segments import SECOND


class Kind(StrEnum):
    THRESHOLD = "threshold"
    DROP = "drop"
    RISE = "rise"
    NEW_LOW = "new_low"
    BACK_IN_STOCK = "back_in_stock"
    OUT_OF_STOCK = "out_of_stock"
    STALE = "stale"
    SERVICE = "service"
    FAILING = "failing"


PRICE_KINDS = frozenset({Kind.THRESHOLD, Kind.DROP, Kind.RISE, Kind.NEW_LOW})
# Kinds that compare with the past; `Observed.past_lowest` gives it.
PAST_KINDS = PRICE_KINDS - {Kind.THRESHOLD}

# What was out of stock for less was never away.
OUT_FOR = 600 * SECOND
# How far beyond the price that was told a rule fires again, in percent.
FURTHER = 5
FURTHER_LOW = 1


class Terms(NamedTuple):
    """What a rule asks for; times in microseconds."""

    kind: Kind
    # Of `threshold`.
    price: int = 0
    # Of `drop` and `rise`.
    percent: float = 0
    confirm: int = 0
    cooldown: int = 0
    rearm_percent: float = 0


class State(NamedTuple):
    """How far a rule has come for a product."""

    is_fired: bool = False
    # Of price kinds: the price that the condition is measured by while it holds, and until it is armed again.
    limit: int | None = None
    # Since when the condition has held without having fired.
    pending_since: int | None = None
    fired_at: int | None = None
    # Where it was true from the start, the price at the start.
    fired_price: int | None = None
    # Of `back_in_stock`: since when nothing has been in stock, until a return is confirmed.
    out_since: int | None = None


class Observed(NamedTuple):
    """What held of a product in the time [at, until]; `until` is as far as anything is known."""

    at: int
    until: int
    # The lowest price of offers in stock; None: nothing is in stock.
    price: int | None = None
    # The lowest price of the time before `at` that the kind compares with; None: not enough is known.
    past_lowest: int | None = None
    # Of `stale`, `failing` and `service`: whether it is so.
    holds: bool = False


class Firing(NamedTuple):
    """A rule fires: `since` is the change that caused it, `at` the time that confirmed it."""

    since: int
    at: int
    price: int | None
    limit: int | None
    fired_price_before: int | None


def start(terms: Terms, seen: Observed) -> State:
    """The state at the first sight of a product: what is true already is not news."""
    if terms.kind in PRICE_KINDS:
        limit = _limit(terms, State(), seen)
        is_reached = _reaches(terms, seen.price, limit)
        return State(True, limit, fired_price=seen.price) if is_reached else State()
    if terms.kind is Kind.BACK_IN_STOCK:
        return State(out_since=seen.at if seen.price is None else None)
    return State(is_fired=_is_so(terms, seen))


def advance(terms: Terms, state: State, seen: Observed) -> tuple[State, Firing | None]:
    """The state at the end of the observation, and whether the rule fired meanwhile.

    Observations follow each other without a gap; one may be given again with a later `until`.
    """
    if terms.kind in PRICE_KINDS:
        state = _by_price(terms, state, seen)
    elif terms.kind is Kind.BACK_IN_STOCK:
        state = _by_return(terms, state, seen)
    else:
        state = _by_condition(terms, state, seen)
    if state.pending_since is None:
        return state, None
    ready = state.pending_since + terms.confirm
    if state.fired_at is not None:
        ready = max(ready, state.fired_at + terms.cooldown)
    if seen.until < ready:
        return state, None
    at = max(ready, seen.at)
    firing = Firing(state.pending_since, at, seen.price, state.limit, state.fired_price)
    return State(is_fired=True, limit=state.limit, fired_at=at, fired_price=seen.price), firing


def _by_price(terms: Terms, state: State, seen: Observed) -> State:
    if state.is_fired and _is_away(terms, state, seen):
        state = State(fired_at=state.fired_at, fired_price=state.fired_price)
    if state.is_fired:
        if not _reaches(terms, seen.price, _further(terms, state.fired_price)):
            return state._replace(pending_since=None)
        return state if state.pending_since is not None else state._replace(pending_since=seen.at)
    if state.pending_since is not None and _reaches(terms, seen.price, state.limit):
        return state
    limit = _limit(terms, state, seen)
    if not _reaches(terms, seen.price, limit):
        return state._replace(pending_since=None, limit=None)
    return state._replace(pending_since=seen.at, limit=limit)


def _by_return(terms: Terms, state: State, seen: Observed) -> State:
    """A return that ends before it is confirmed was none."""
    if seen.price is None:
        out_since = seen.at if state.out_since is None else state.out_since
        return state._replace(is_fired=False, pending_since=None, out_since=out_since)
    if state.out_since is None:
        return state
    since = seen.at if state.pending_since is None else state.pending_since
    if since - state.out_since >= OUT_FOR:
        return state._replace(pending_since=since)
    if seen.until - since >= terms.confirm:
        return state._replace(pending_since=None, out_since=None)
    return state._replace(pending_since=since)


def _by_condition(terms: Terms, state: State, seen: Observed) -> State:
    if not _is_so(terms, seen):
        return state._replace(is_fired=False, pending_since=None)
    if state.is_fired or state.pending_since is not None:
        return state
    return state._replace(pending_since=seen.at)


def _is_so(terms: Terms, seen: Observed) -> bool:
    return seen.price is None if terms.kind is Kind.OUT_OF_STOCK else seen.holds


def _is_away(terms: Terms, state: State, seen: Observed) -> bool:
    """Whether the price has left the limit so far that the rule is armed again."""
    if seen.price is None or state.limit is None:
        return False
    part, whole = _share(terms.rearm_percent)
    if _rises(terms):
        return seen.price * whole < state.limit * (whole - part)
    return seen.price * whole > state.limit * (whole + part)


def _limit(terms: Terms, state: State, seen: Observed) -> int | None:
    """The price to reach; None: there is nothing to compare with."""
    if terms.kind is Kind.THRESHOLD:
        return terms.price
    past = seen.past_lowest
    if past is None:
        return None
    if terms.kind in {Kind.DROP, Kind.RISE}:
        part, whole = _share(terms.percent)
        # Whole prices. Where the past is 0, the price has to move all the same.
        if _rises(terms):
            return max(past + 1, -(-past * (whole + part) // whole))
        return min(past - 1, past * (whole - part) // whole)
    further = _further(terms, state.fired_price)
    return past - 1 if further is None else min(past - 1, further)


@lru_cache(maxsize=1_000)
def _share(percent: float) -> tuple[int, int]:
    """Exactly so many percent, as people write them, as a part of a whole: 28.3 is (283, 1000)."""
    return (Decimal(repr(percent)) / 100).as_integer_ratio()


def _further(terms: Terms, fired_price: int | None) -> int | None:
    """The price that is far enough beyond the one that it fired at; None: there is none."""
    if fired_price is None:
        return None
    # A price of 0 is not beyond 0, though it is so by percent.
    if _rises(terms):
        return max(fired_price + 1, -(-fired_price * (100 + FURTHER) // 100))
    percent = FURTHER_LOW if terms.kind is Kind.NEW_LOW else FURTHER
    return min(fired_price - 1, fired_price * (100 - percent) // 100)


def _rises(terms: Terms) -> bool:
    return terms.kind is Kind.RISE


def _reaches(terms: Terms, price: int | None, bar: int | None) -> bool:
    if price is None or bar is None:
        return False
    return price >= bar if _rises(terms) else price <= bar
