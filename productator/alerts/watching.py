"""Looks once a period at what no change of a price shows: stale and failing products, and the service."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from productator.alerts import events, rules
from productator.alerts.events import SERVICE_UP, Subject
from productator.alerts.firing import Firing, Kind, Observed, State, advance
from productator.alerts.states import set_state, state_of
from productator.catalogue import search
from productator.database.transactions import changed_rows, run_transaction
from productator.domain import STALE_AFTER_PERIODS
from productator.models import AlertRule, AlertState, Product, Refresh
from productator.operation import heartbeats
from productator.prices.segments import microseconds

FAILURES = 3
# Of one rule that are new at a time; the next period tells of the others.
_PRODUCTS_A_TIME = 1_000
_STATES = cast("Table", AlertState.__table__)


class _Holding(NamedTuple):
    product_id: int
    name: str
    # Since when it is so.
    since: int


def run(sessions: sessionmaker[Session], period: timedelta, now: datetime) -> int:
    """Evaluates the rules that are due; returns how many events were written."""
    with sessions() as session:
        due_at = _STATES.c.check_at
        query = select(_STATES.c.id, due_at).where(_STATES.c.product_id.is_(None), due_at <= now)
        due = session.execute(query.order_by(due_at)).all()
    written = 0
    for state_id, due_at in due:
        was_away = now - due_at > period
        watch = partial(_watch, state_id=state_id, was_away=was_away, period=period, now=now)
        try:
            written += run_transaction(sessions, watch)
        except (IntegrityError, StaleDataError):
            # Another notifier does it, or the rule was changed.
            continue
    return written


def _watch(session: Session, *, state_id: int, was_away: bool, period: timedelta, now: datetime) -> int:
    """`was_away`: no notifier has looked for more than a period. Perhaps no refresher ran, either."""
    # Of several notifiers one finds it due.
    taking = update(AlertState).where(AlertState.id == state_id, AlertState.check_at <= now)
    if not changed_rows(session, taking.values(check_at=now + period)):
        return 0
    watch = session.get_one(AlertState, state_id)
    rule = session.get_one(AlertRule, watch.rule_id)
    if not rule.active:
        return 0
    down_since = _down_since(session, period, now)
    if was_away and down_since is not None:
        # The refreshers may only be starting now: it is down if it still is in a while.
        down_since = now
    if rule.kind == Kind.SERVICE:
        return _watch_service(session, rule, watch, down_since, period=period, now=now)
    if rule.kind == Kind.STALE:
        # One event tells of an outage, not one for each product. `fired_at` notes when there was one. After
        # it the products are refreshed one after the other, for some periods. So it is after a time
        # in which nothing of ours ran.
        if down_since is not None or was_away:
            watch.fired_at = now
        if watch.fired_at is not None and now - watch.fired_at <= STALE_AFTER_PERIODS * period:
            return 0
    holding = {each.product_id: each for each in _holding(session, rule, period, now)}
    return _watch_products(session, rule, watch, holding, period=period, now=now)


def _down_since(session: Session, period: timedelta, now: datetime) -> datetime | None:
    """None: the service is up, or nothing was ever refreshed.

    The refreshers know it by their circuit breakers. Where none runs, what nobody refreshes counts as down.
    """
    refreshers = heartbeats.read(session.connection())
    if any(each.is_alive(now=now) for each in refreshers):
        return heartbeats.down_since(refreshers, now=now)
    last: datetime | None = session.scalar(select(func.max(Refresh.refreshed_at)))
    if last is None or now - last <= STALE_AFTER_PERIODS * period:
        return None
    return last


def _watch_service(
    session: Session,
    rule: AlertRule,
    watch: AlertState,
    down_since: datetime | None,
    *,
    period: timedelta,
    now: datetime,
) -> int:
    at = microseconds(down_since or now)
    before = state_of(watch)
    if down_since is not None and watch.seen_at == rule.counts_from:
        # What was so when the rule was made is no news.
        before = before._replace(is_fired=True)
    seen = Observed(at, microseconds(now), holds=down_since is not None)
    state, firing = advance(rules.terms(rule, period), before, seen)
    set_state(watch, state, seen_at=microseconds(now))
    if firing is not None:
        return events.write(session, rule, None, firing, now=now)
    # An outage of which nobody was told has no end to tell.
    if before.is_fired and before.fired_at is not None and not state.is_fired:
        up = Firing(at, at, None, None, None)
        return events.write(session, rule, None, up, now=now, type_=SERVICE_UP)
    return 0


def _holding(session: Session, rule: AlertRule, period: timedelta, now: datetime) -> Iterator[_Holding]:
    """The products that the rule is about for which it is so."""
    stale_after = STALE_AFTER_PERIODS * period
    query = select(Product.id, Product.name, Refresh.refreshed_at).join(Refresh)
    if rule.kind == Kind.STALE:
        query = query.where(Refresh.refreshed_at < now - stale_after)
    else:
        query = query.where(Refresh.failures >= FAILURES)
    if rule.product_id is not None:
        query = query.where(Product.id == rule.product_id)
    for product_id, name, refreshed_at in session.execute(query.order_by(Product.id)):
        if rule.q is None or search.matches(rule.q, name):
            since = refreshed_at + stale_after if refreshed_at and rule.kind == Kind.STALE else now
            yield _Holding(product_id, name, microseconds(since))


def _watch_products(
    session: Session,
    rule: AlertRule,
    watch: AlertState,
    holding: dict[int, _Holding],
    *,
    period: timedelta,
    now: datetime,
) -> int:
    terms = rules.terms(rule, period)
    until = microseconds(now)
    query = select(AlertState).where(AlertState.rule_id == rule.id, AlertState.product_id.is_not(None))
    rows = {row.product_id: row for row in session.scalars(query)}
    for product_id, row in rows.items():
        if product_id not in holding:
            _change(row, advance(terms, state_of(row), Observed(until, until))[0], seen_at=until)
    is_first = watch.seen_at == rule.counts_from
    told = {product_id for product_id, row in rows.items() if row.is_fired}
    new = [each for each in holding.values() if each.product_id not in told]
    if len(new) <= _PRODUCTS_A_TIME:
        watch.seen_at = now
    written = 0
    for each in new[:_PRODUCTS_A_TIME]:
        found = rows.get(each.product_id)
        if found is None:
            # What was so when the rule was made is no news.
            state = State(is_fired=is_first or each.since < microseconds(rule.counts_from))
        else:
            state = state_of(found)
        state, firing = advance(terms, state, Observed(each.since, until, holds=True))
        if found is None:
            found = AlertState(rule_id=rule.id, product_id=each.product_id)
            session.add(found)
            set_state(found, state, seen_at=each.since)
        else:
            _change(found, state, seen_at=each.since)
        if firing is not None:
            about = Subject(each.product_id, each.name)
            written += events.write(session, rule, about, firing, now=now)
    session.flush()
    return written


def _change(row: AlertState, state: State, *, seen_at: int) -> None:
    """Leaves a state that is the same, of which there may be one for each product that ever fired."""
    if state != state_of(row):
        set_state(row, state, seen_at=seen_at)
