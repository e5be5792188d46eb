"""States of rules as the database keeps them."""

from datetime import datetime
from typing import Any

from productator.alerts.firing import State
from productator.models import AlertState
from productator.prices.segments import microseconds, time_of

# As the database names them.
COLUMNS = ("is_fired", "price_limit", "pending_since", "told_at", "told_price", "out_since")


def state_of(row: AlertState) -> State:
    return State(
        is_fired=row.is_fired,
        limit=row.price_limit,
        pending_since=_number(row.pending_since),
        fired_at=_number(row.fired_at),
        fired_price=row.fired_price,
        out_since=_number(row.out_since),
    )


def set_state(row: AlertState, state: State, *, seen_at: int) -> None:
    row.is_fired, row.price_limit = state.is_fired, state.limit
    row.fired_at, row.fired_price = _time(state.fired_at), state.fired_price
    row.pending_since, row.out_since = _time(state.pending_since), _time(state.out_since)
    row.seen_at = time_of(seen_at)


def values_of(state: State) -> tuple[Any, ...]:
    """The values of the columns `COLUMNS`."""
    return (
        state.is_fired,
        state.limit,
        _time(state.pending_since),
        _time(state.fired_at),
        state.fired_price,
        _time(state.out_since),
    )


def _number(time: datetime | None) -> int | None:
    return None if time is None else microseconds(time)


def _time(number: int | None) -> datetime | None:
    return None if number is None else time_of(number)
