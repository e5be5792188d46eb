"""States of rules as the database keeps them."""

from datetime import datetime

from productator.alerts.firing import State
from productator.models import AlertState
from productator.prices.segments import microseconds, time_of


def state_of(row: AlertState) -> State:
    return State(
        is_fired=row.is_fired,
        limit=row.price_limit,
        pending_since=_number(row.pending_since),
        told_at=_number(row.told_at),
        told_price=row.told_price,
        out_since=_number(row.out_since),
    )


def set_state(row: AlertState, state: State, *, seen_at: int) -> None:
    row.is_fired, row.price_limit, row.told_price = state.is_fired, state.limit, state.told_price
    row.pending_since, row.told_at = _time(state.pending_since), _time(state.told_at)
    row.out_since, row.seen_at = _time(state.out_since), time_of(seen_at)


def _number(time: datetime | None) -> int | None:
    return None if time is None else microseconds(time)


def _time(number: int | None) -> datetime | None:
    return None if number is None else time_of(number)
