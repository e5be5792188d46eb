"""Brings the rules about products up to date with their history: new states, events and deliveries.

Everything is written in one transaction. The history is the record of what happened, so a product may be
looked at late, twice, or by two notifiers at once: an event's cause is unique, and so is a rule's state.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple, cast

from sqlalchemy import Connection, Table, and_, case, func, or_, select
from sqlalchemy.orm import Session

from productator.alerts import events, rules
from productator.alerts.events import Subject
from productator.alerts.firing import PAST_KINDS, Firing, Kind, Observed, State, Terms, advance, start
from productator.alerts.past import held_since, past_lowest
from productator.alerts.states import COLUMNS, state_of, values_of
from productator.catalogue import search
from productator.database.bulk import insert_rows, update_each
from productator.models import AlertRule, AlertState, Offer, PricePoint, Product, Refresh
from productator.prices import records
from productator.prices.segments import TimeRange, microseconds, time_of

# What is observed in the first moments of a product is how it begins, not a change.
_FIRST_PERIODS = 2
# Records of several products that are read in one statement.
_FEW = 2_000
_STATES = cast("Table", AlertState.__table__)


@dataclass(frozen=True)
class Known:
    """How far the history of a product is known, and what it is called."""

    product_id: int
    name: str
    first: int
    until: int
    # Until when the price is known not to be above the last one: an own offer has it, and own offers are
    # known at any time. External ones can only be cheaper.
    not_above_until: int
    edited_at: int

    def until_for(self, kind: str) -> int:
        return self.until if kind == Kind.RISE else self.not_above_until


class _Record(NamedTuple):
    product_id: int
    starts_at: datetime
    resolution_s: int
    lowest_price: int | None


@dataclass(frozen=True)
class _Evaluation:
    """A rule that is brought up to date about a product, from `begins` on."""

    rule: AlertRule
    known: Known
    row: AlertState | None
    begins: int


class _Segment(NamedTuple):
    start: int
    end: int
    price: int | None


class _Reached(NamedTuple):
    """How far a rule has come."""

    state: State
    seen_at: int
    check_at: datetime | None


def evaluate(
    session: Session,
    product_ids: Collection[int],
    *,
    period: timedelta,
    now: datetime,
    currency: str | None = None,
) -> int:
    """Writes what the rules about the products tell, and returns how many events these are.

    Raises IntegrityError if another notifier was faster with one of them.
    """
    all_rules = _rules(session, product_ids)
    # Another notifier waits here until this one has finished. What it reads afterwards is known to both.
    states = _states(session, all_rules, product_ids)
    evaluations = [
        _Evaluation(rule, known, row, _begins(rule, row, known, period))
        for known in _known(session, product_ids, period, now)
        for rule in all_rules
        if _is_about(rule, known)
        for row in [states.get((rule.id, known.product_id))]
    ]
    connection = session.connection()
    recent = _recent(connection, evaluations)
    written = 0
    reached: list[tuple[_Evaluation, _Reached]] = []
    for evaluation in evaluations:
        firings, now_at = _bring_up_to_date(connection, evaluation, recent, period=period, now=now)
        if now_at is not None:
            reached.append((evaluation, now_at))
        for firing in firings:
            written += events.write(
                session,
                evaluation.rule,
                Subject(evaluation.known.product_id, evaluation.known.name),
                firing,
                now=now,
                price_before=_price_before(connection, evaluation.known, firing.since),
                currency=currency,
            )
    session.flush()
    _store(connection, reached)
    return written


def _rules(session: Session, product_ids: Collection[int]) -> Sequence[AlertRule]:
    query = select(AlertRule).where(
        AlertRule.active,
        AlertRule.kind.in_(rules.KINDS_OF_PRICES),
        or_(AlertRule.product_id.in_(product_ids), AlertRule.product_id.is_(None)),
    )
    # A change of the rule waits: what it asks for is what the states are about.
    return session.scalars(query.order_by(AlertRule.id).with_for_update(read=True)).all()


def _states(
    session: Session, all_rules: Sequence[AlertRule], product_ids: Collection[int]
) -> Mapping[tuple[int, int | None], AlertState]:
    """By rule and product; locked until the transaction ends."""
    query = select(AlertState).where(
        AlertState.product_id.in_(product_ids), AlertState.rule_id.in_([rule.id for rule in all_rules])
    )
    locking = query.order_by(AlertState.product_id, AlertState.id).with_for_update()
    return {(each.rule_id, each.product_id): each for each in session.scalars(locking)}


def _known(session: Session, product_ids: Collection[int], period: timedelta, now: datetime) -> list[Known]:
    """Without products that are gone, or of which nothing was ever recorded."""
    rows = session.execute(
        select(
            Product.id,
            Product.name,
            Product.updated_at,
            Refresh.refreshed_at,
            func.min(PricePoint.starts_at).label("first"),
            func.max(PricePoint.starts_at).label("last"),
        )
        .join(Refresh, Refresh.product_id == Product.id)
        .join(PricePoint, PricePoint.product_id == Product.id)
        .where(Product.id.in_(product_ids))
        .group_by(Product.id, Product.name, Product.updated_at, Refresh.refreshed_at)
        .order_by(Product.id)
    ).all()
    unseen = [row.id for row in rows if row.refreshed_at is not None and row.refreshed_at < now - period]
    by_own_offers = _cheapest_by_own_offers(session, unseen) if unseen else ()
    # A product that was never refreshed has own offers only, and these are known at any time.
    return [
        Known(
            row.id,
            row.name,
            microseconds(row.first),
            until=microseconds(max(row.refreshed_at or now, row.last)),
            not_above_until=microseconds(
                max(now if row.id in by_own_offers else row.refreshed_at or now, row.last)
            ),
            edited_at=microseconds(row.updated_at),
        )
        for row in rows
    ]


def _cheapest_by_own_offers(session: Session, product_ids: Collection[int]) -> set[int]:
    """The products whose lowest price in stock is that of an own offer."""
    own = func.min(case((Offer.remote_id.is_(None), Offer.price)))
    query = select(Offer.product_id).where(Offer.product_id.in_(product_ids), Offer.items_in_stock > 0)
    return set(session.scalars(query.group_by(Offer.product_id).having(own == func.min(Offer.price))))


def _is_about(rule: AlertRule, known: Known) -> bool:
    if rule.product_id is not None:
        return rule.product_id == known.product_id
    return rule.q is None or search.matches(rule.q, known.name)


def _begins(rule: AlertRule, row: AlertState | None, known: Known, period: timedelta) -> int:
    if row is not None:
        return microseconds(row.seen_at)
    quiet = _FIRST_PERIODS * (period // timedelta(microseconds=1))
    begins = max(microseconds(rule.counts_from), known.first + quiet)
    # A new name may be why the search finds it: what happened under the old one is no news.
    return begins if rule.q is None else max(begins, known.edited_at)


def _recent(connection: Connection, evaluations: Sequence[_Evaluation]) -> Mapping[int, Sequence[_Record]]:
    """Each product's records since its first evaluation begins, in one statement; none: too many."""
    begins: dict[int, int] = {}
    for evaluation in evaluations:
        product_id = evaluation.known.product_id
        begins[product_id] = min(evaluation.begins, begins.get(product_id, evaluation.begins))
    if not begins:
        return {}
    query = select(
        PricePoint.product_id, PricePoint.starts_at, PricePoint.resolution_s, PricePoint.lowest_price
    ).where(
        or_(
            *[
                and_(PricePoint.product_id == product_id, PricePoint.starts_at >= time_of(since))
                for product_id, since in begins.items()
            ]
        )
    )
    ordered = query.order_by(PricePoint.product_id, PricePoint.starts_at).limit(_FEW + 1)
    rows = [_Record._make(row) for row in connection.execute(ordered)]
    if len(rows) > _FEW:
        return {}
    return {key: list(its) for key, its in groupby(rows, key=attrgetter("product_id"))}


def _bring_up_to_date(
    connection: Connection,
    evaluation: _Evaluation,
    recent: Mapping[int, Sequence[_Record]],
    *,
    period: timedelta,
    now: datetime,
) -> tuple[list[Firing], _Reached | None]:
    """What the rule tells, and how far it has come; None: nothing is known since it counts."""
    rule, known = evaluation.rule, evaluation.known
    terms = rules.terms(rule, period)
    state = None if evaluation.row is None else state_of(evaluation.row)
    firings: list[Firing] = []
    seen_at = evaluation.begins
    price_before: int | None = None
    until = known.until_for(rule.kind)
    records_since = recent.get(known.product_id, ())
    for segment in _segments(connection, known.product_id, evaluation.begins, until, records_since):
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
            firings.append(firing)
        # After a time without stock a lower price may be a rise as well: what was pending has ended.
        price_before = segment.price
        seen_at = segment.start
    if state is None:
        return [], None
    return firings, _Reached(state, seen_at, _check_at(terms, state, period, now))


def _segments(
    connection: Connection, product_id: int, begins: int, until: int, recent: Sequence[_Record]
) -> Iterator[_Segment]:
    """What holds from `begins` on; the first one is the one that was looked at last, with its time cut."""
    first, last = time_of(begins), time_of(until)
    rows = [each for each in recent if first <= each.starts_at <= last]
    if rows and rows[0].starts_at == first and not any(row.resolution_s for row in rows):
        # Nearly always: a few records since the one that was looked at last.
        starts = [microseconds(row.starts_at) for row in rows]
        for row, (start_, end) in zip(rows, pairwise([*starts, until]), strict=True):
            yield _Segment(start_, end, row.lowest_price)
        return
    # The last record may begin at the very end of what is known.
    within = TimeRange(begins, until + 1)
    for found in records.lowest_prices(connection, product_id, within):
        yield _Segment(
            found.start, found.end - (found.end == within.end), found.lowest if found.in_stock else None
        )


def _store(connection: Connection, reached: Sequence[tuple[_Evaluation, _Reached]]) -> None:
    """Most states only move on, since few changes are news."""
    new, changed, moved = [], [], []
    for evaluation, (state, seen_at, check_at) in reached:
        values = (*values_of(state), check_at, time_of(seen_at))
        row = evaluation.row
        if row is None:
            new.append((evaluation.rule.id, evaluation.known.product_id, 1, *values))
        elif values[:-1] != (*values_of(state_of(row)), row.check_at):
            changed.append((row.id, *values))
        elif values[-1] != row.seen_at:
            moved.append((row.id, values[-1]))
    names = (*COLUMNS, "check_at", "seen_at")
    insert_rows(connection, _STATES, ("rule_id", "product_id", "version", *names), new)
    update_each(connection, _STATES, ("id", *names), changed, counting="version")
    update_each(connection, _STATES, ("id", "seen_at"), moved, counting="version")


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
    if state.fired_at is not None:
        ready = max(ready, state.fired_at + terms.cooldown)
    # It is past if the product was not refreshed since, which may take long while the service is down.
    return max(time_of(ready), now + period / 4)
