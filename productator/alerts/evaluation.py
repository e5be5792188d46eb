"""Brings the rules about a product up to date with its history: new states, events and deliveries.

Everything is written in one transaction. The history is the record of what happened, so a product may be
looked at late, twice, or by two notifiers at once: an event's cause is unique, and so is a rule's state.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.orm import Session

from productator.alerts import events, rules
from productator.alerts.events import Subject
from productator.alerts.firing import PAST_KINDS, Firing, Kind, Observed, State, Terms, advance, start
from productator.alerts.states import set_state, state_of
from productator.catalogue import search
from productator.models import AlertRule, AlertState, PricePoint, Product, Refresh
from productator.prices import records
from productator.prices.segments import DAY, TimeRange, microseconds, time_of

# Of `drop` and `rise`: the reference is the lowest price of so long a time before the change.
_REFERENCE = 30 * DAY
# A new low is one only where so much is known.
_KNOWN_FOR = 14 * DAY
# What is observed in the first moments of a product is how it begins, not a change.
_FIRST_PERIODS = 2


@dataclass(frozen=True)
class Known:
    """How far the history of a product is known, and what it is called."""

    product_id: int
    name: str
    first: int
    until: int


class _Segment(NamedTuple):
    start: int
    end: int
    price: int | None


def evaluate(
    session: Session, product_id: int, *, period: timedelta, now: datetime, currency: str | None = None
) -> int:
    """Writes what the rules about the product tell, and returns how many events these are.

    Raises IntegrityError or StaleDataError if another notifier was faster.
    """
    known = _known(session, product_id, now)
    if known is None:
        return 0
    states = {
        state.rule_id: state
        for state in session.scalars(select(AlertState).where(AlertState.product_id == product_id))
    }
    written = 0
    for rule in list(_rules_about(session, product_id, known.name)):
        for firing in _bring_up_to_date(session, rule, states.get(rule.id), known, period=period, now=now):
            written += events.write(
                session,
                rule,
                Subject(product_id, known.name),
                firing,
                now=now,
                price_before=_price_before(session.connection(), known, firing.since),
                currency=currency,
            )
    session.flush()
    return written


def _known(session: Session, product_id: int, now: datetime) -> Known | None:
    """None: the product is gone, or nothing was ever recorded of it."""
    row = session.execute(
        select(
            Product.name,
            Refresh.refreshed_at,
            func.min(PricePoint.starts_at).label("first"),
            func.max(PricePoint.starts_at).label("last"),
        )
        .join(Refresh, Refresh.product_id == Product.id)
        .join(PricePoint, PricePoint.product_id == Product.id)
        .where(Product.id == product_id)
        .group_by(Product.name, Refresh.refreshed_at)
    ).one_or_none()
    if row is None:
        return None
    # A product that was never refreshed has own offers only, and these are known at any time.
    until = max(row.refreshed_at or now, row.last)
    return Known(product_id, row.name, microseconds(row.first), microseconds(until))


def _rules_about(session: Session, product_id: int, name: str) -> Iterable[AlertRule]:
    query = select(AlertRule).where(
        AlertRule.active,
        AlertRule.kind.in_(rules.KINDS_OF_PRICES),
        or_(AlertRule.product_id == product_id, AlertRule.product_id.is_(None)),
    )
    # A change of the rule waits: what it asks for is what the states are about.
    for rule in session.scalars(query.order_by(AlertRule.id).with_for_update(read=True)):
        if rule.q is None or search.matches(rule.q, name):
            yield rule


def _bring_up_to_date(
    session: Session,
    rule: AlertRule,
    row: AlertState | None,
    known: Known,
    *,
    period: timedelta,
    now: datetime,
) -> Iterator[Firing]:
    terms = rules.terms(rule, period)
    connection = session.connection()
    if row is None:
        begins = max(
            microseconds(rule.counts_from),
            known.first + _FIRST_PERIODS * (period // timedelta(microseconds=1)),
        )
        state = None
    else:
        begins, state = microseconds(row.seen_at), state_of(row)
    seen_at = begins
    price_before: int | None = None
    for segment in _segments(connection, known, begins):
        seen = Observed(segment.start, segment.end, segment.price)
        if state is None:
            state = start(terms, seen)
        if terms.kind in PAST_KINDS and _may_be_news(terms, segment.price, price_before):
            past = _past_lowest(connection, rule, known, segment.start)
            seen = seen._replace(past_lowest=past)
        state, firing = advance(terms, state, seen)
        if firing is not None:
            yield firing
        price_before = segment.price if segment.price is not None else price_before
        seen_at = segment.start
    if state is None:
        return
    if row is None:
        row = AlertState(rule_id=rule.id, product_id=known.product_id)
        session.add(row)
    set_state(row, state, seen_at=seen_at)
    row.check_at = _check_at(terms, state, period, now)


def _segments(connection: Connection, known: Known, begins: int) -> Iterator[_Segment]:
    """What holds from `begins` on; the first one is the one that was looked at last, with its time cut."""
    # The last record may begin at the very end of what is known.
    within = TimeRange(begins, known.until + 1)
    for found in records.lowest_prices(connection, known.product_id, within):
        yield _Segment(
            found.start, found.end - (found.end == within.end), found.lowest if found.in_stock else None
        )


def _may_be_news(terms: Terms, price: int | None, before: int | None) -> bool:
    """Whether it can compare with the past at all: a price that did not fall is no new low."""
    if price is None:
        return False
    if before is None:
        return True
    return price > before if terms.kind is Kind.RISE else price < before


def _past_lowest(connection: Connection, rule: AlertRule, known: Known, at: int) -> int | None:
    if rule.kind == Kind.NEW_LOW:
        if at - known.first < _KNOWN_FOR:
            return None
        since = 0 if rule.days is None else at - rule.days * DAY
    else:
        since = at - _REFERENCE
    found = records.lowest_price(connection, known.product_id, TimeRange(since, at))
    return None if found is None else found.price


def _price_before(connection: Connection, known: Known, at: int) -> int | None:
    segments = records.lowest_prices(connection, known.product_id, TimeRange(at - 1, at))
    return next((each.lowest for each in segments if each.in_stock), None)


def _check_at(terms: Terms, state: State, period: timedelta, now: datetime) -> datetime | None:
    """When time alone may make it fire: not before it is confirmed, and the cooldown is over."""
    if state.pending_since is None:
        return None
    ready = state.pending_since + terms.confirm
    if state.told_at is not None:
        ready = max(ready, state.told_at + terms.cooldown)
    # It is past if the product was not refreshed since, which may take long while the service is down.
    return max(time_of(ready), now + period / 4)
