"""Brings the rules about products up to date with their history: new states, events and deliveries.

Everything is written in one transaction. The history is the record of what happened, so a product may be
looked at late, twice, or by two notifiers at once: an event's cause is unique, and so is a rule's state.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, or_, select
from sqlalchemy.orm import Session

from productator.alerts import events, rules
from productator.alerts.events import Subject
from productator.alerts.firing import PAST_KINDS, Firing, Kind, Observed, State, Terms, advance, start
from productator.alerts.past import held_since, past_lowest
from productator.alerts.states import set_state, state_of
from productator.catalogue import search
from productator.database.column_types import UtcDateTime
from productator.models import AlertRule, AlertState, PricePoint, Product, Refresh
from productator.prices import records
from productator.prices.segments import TimeRange, microseconds, time_of

# What is observed in the first moments of a product is how it begins, not a change.
_FIRST_PERIODS = 2
_FEW = 100
_RECORDS_SINCE = (
    select(PricePoint.starts_at, PricePoint.resolution_s, PricePoint.lowest_price)
    .where(
        PricePoint.product_id == bindparam("product_id"),
        PricePoint.starts_at >= bindparam("begins", type_=UtcDateTime),
        PricePoint.starts_at <= bindparam("until", type_=UtcDateTime),
    )
    .order_by(PricePoint.starts_at)
    .limit(_FEW + 1)
)


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
    session: Session,
    product_ids: Collection[int],
    *,
    period: timedelta,
    now: datetime,
    currency: str | None = None,
) -> int:
    """Writes what the rules about the products tell, and returns how many events these are.

    Raises IntegrityError or StaleDataError if another notifier was faster with one of them.
    """
    found = _known(session, product_ids, now)
    all_rules = _rules(session, [each.product_id for each in found])
    query = select(AlertState).where(AlertState.product_id.in_(product_ids))
    states = {(each.rule_id, each.product_id): each for each in session.scalars(query)}
    written = 0
    for known in found:
        for rule in (each for each in all_rules if _is_about(each, known)):
            state = states.get((rule.id, known.product_id))
            for firing in _bring_up_to_date(session, rule, state, known, period=period, now=now):
                written += events.write(
                    session,
                    rule,
                    Subject(known.product_id, known.name),
                    firing,
                    now=now,
                    price_before=_price_before(session.connection(), known, firing.since),
                    currency=currency,
                )
    session.flush()
    return written


def _known(session: Session, product_ids: Collection[int], now: datetime) -> list[Known]:
    """Without products that are gone, or of which nothing was ever recorded."""
    rows = session.execute(
        select(
            Product.id,
            Product.name,
            Refresh.refreshed_at,
            func.min(PricePoint.starts_at).label("first"),
            func.max(PricePoint.starts_at).label("last"),
        )
        .join(Refresh, Refresh.product_id == Product.id)
        .join(PricePoint, PricePoint.product_id == Product.id)
        .where(Product.id.in_(product_ids))
        .group_by(Product.id, Product.name, Refresh.refreshed_at)
        .order_by(Product.id)
    )
    # A product that was never refreshed has own offers only, and these are known at any time.
    return [
        Known(row.id, row.name, microseconds(row.first), microseconds(max(row.refreshed_at or now, row.last)))
        for row in rows
    ]


def _rules(session: Session, product_ids: Collection[int]) -> Sequence[AlertRule]:
    query = select(AlertRule).where(
        AlertRule.active,
        AlertRule.kind.in_(rules.KINDS_OF_PRICES),
        or_(AlertRule.product_id.in_(product_ids), AlertRule.product_id.is_(None)),
    )
    # A change of the rule waits: what it asks for is what the states are about.
    return session.scalars(query.order_by(AlertRule.id).with_for_update(read=True)).all()


def _is_about(rule: AlertRule, known: Known) -> bool:
    if rule.product_id is not None:
        return rule.product_id == known.product_id
    return rule.q is None or search.matches(rule.q, known.name)


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
        if terms.kind in PAST_KINDS and _may_be_news(terms, segment.price, price_before):
            # At first sight, the price is compared with what was before it, not with itself.
            at = segment.start if state else held_since(connection, known.product_id, segment.start)
            past = past_lowest(connection, rule, known.product_id, first=known.first, at=at)
            seen = seen._replace(past_lowest=past)
        if state is None:
            state = start(terms, seen)
        state, firing = advance(terms, state, seen)
        if firing is not None:
            yield firing
        # After a time without stock a lower price may be a rise as well: what was pending has ended.
        price_before = segment.price
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
    rows = connection.execute(
        _RECORDS_SINCE,
        {"product_id": known.product_id, "begins": time_of(begins), "until": time_of(known.until)},
    ).all()
    if (
        rows
        and len(rows) <= _FEW
        and rows[0].starts_at == time_of(begins)
        and not any(row.resolution_s for row in rows)
    ):
        # Nearly always: a few records since the one that was looked at last. One statement instead of three.
        starts = [microseconds(row.starts_at) for row in rows]
        for row, (start_, end) in zip(rows, pairwise([*starts, known.until]), strict=True):
            yield _Segment(start_, end, row.lowest_price)
        return
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
