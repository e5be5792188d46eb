"""Whether rules are true now, for those who read them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select
from sqlalchemy.orm import Session

from productator.alerts import events, rules, sentences
from productator.alerts.events import Subject
from productator.alerts.firing import PAST_KINDS, PRICE_KINDS, Firing, Kind, Observed, start
from productator.alerts.past import held_since, past_lowest
from productator.alerts.rules import RuleRow
from productator.domain import utc_now
from productator.models import AlertRule, AlertState, Channel, PricePoint, Product, ProductPrice, Refresh
from productator.models.alerts import WATCHED_KINDS
from productator.prices.segments import microseconds


class ShownRule(NamedTuple):
    """A rule with what its reader wants to know beside it."""

    rule: RuleRow
    channel_ids: Sequence[int]
    sentence: str
    is_fired: bool
    # None: nobody has looked at all of its products yet.
    is_true: bool | None
    # When it last told of any product.
    fired_at: datetime | None
    # Of a rule about one product.
    product: Subject | None
    price: int | None
    refreshed_at: datetime | None


class _StateNow(NamedTuple):
    """Of all products together."""

    is_fired: bool = False
    # None: no product was looked at.
    holds: bool | None = None
    fired_at: datetime | None = None


class _ProductNow(NamedTuple):
    name: str
    price: int | None
    refreshed_at: datetime | None
    # When its history begins.
    first: datetime | None


def shown(
    connection: Connection,
    found: Sequence[RuleRow],
    *,
    amount: Callable[[int], str] = sentences.plain_amount,
) -> list[ShownRule]:
    """The rules with their truth now: a few statements, and one more for each rule about all products."""
    if not found:
        return []
    rule_ids = [rule.id for rule in found]
    channels = rules.channels_of(connection, rule_ids)
    names = _channel_names(connection, {each for ids in channels.values() for each in ids})
    products = _products(connection, {rule.product_id for rule in found if rule.product_id is not None})
    states = _states(connection, rule_ids)
    found_rules = []
    for rule in found:
        product = products.get(rule.product_id or 0)
        channel_ids = channels.get(rule.id, [])
        sentence = sentences.sentence(
            rule,
            product=product and product.name,
            channels=[names[each] for each in channel_ids],
            amount=amount,
        )
        state = states.get(rule.id, _StateNow())
        if rule.product_id is None:
            state = state._replace(holds=_holds_for_any(connection, rule, state))
        elif product is not None and state.holds is None and Kind(rule.kind) in PAST_KINDS:
            state = state._replace(holds=_holds_at_first_sight(connection, rule, product))
        found_rules.append(_shown(rule, channel_ids, sentence, product, state))
    return found_rules


def tell_now(session: Session, rule_id: int, *, now: datetime, currency: str | None) -> bool:
    """Tells what is true already, which else is no news; whether there was something to tell."""
    connection = session.connection()
    (found,) = shown(connection, [rules.get(connection, rule_id)])
    if not found.rule.active or not found.is_true or found.product is None:
        return False
    at = microseconds(now)
    firing = Firing(at, at, found.price, found.rule.price, None)
    rule = session.get_one(AlertRule, rule_id)
    return events.write(session, rule, found.product, firing, now=now, currency=currency)


def _shown(
    rule: RuleRow,
    channel_ids: Sequence[int],
    sentence: str,
    product: _ProductNow | None,
    state: _StateNow,
) -> ShownRule:
    about = None if product is None or rule.product_id is None else Subject(rule.product_id, product.name)
    return ShownRule(
        rule,
        channel_ids,
        sentence,
        is_fired=state.is_fired,
        is_true=state.holds if product is None else _is_true(rule, product.price, holds=state.holds),
        fired_at=state.fired_at,
        product=about,
        price=product and product.price,
        refreshed_at=product and product.refreshed_at,
    )


def _holds_for_any(connection: Connection, rule: RuleRow, state: _StateNow) -> bool | None:
    """The states tell only of products that have changed since the rule was made."""
    if state.holds or Kind(rule.kind) in WATCHED_KINDS:
        return state.holds
    lowest = ProductPrice.lowest_price
    conditions = {
        Kind.THRESHOLD: lowest <= (rule.price or 0),
        Kind.BACK_IN_STOCK: lowest.is_not(None),
        Kind.OUT_OF_STOCK: lowest.is_(None),
    }
    # A search would have to look at all products that it finds.
    condition = conditions.get(Kind(rule.kind)) if rule.q is None else None
    if condition is None:
        return None
    return connection.execute(select(ProductPrice.product_id).where(condition).limit(1)).first() is not None


def _holds_at_first_sight(connection: Connection, rule: RuleRow, product: _ProductNow) -> bool:
    """As the notifier will see it when the product changes for the first time since the rule was made."""
    if rule.product_id is None or product.first is None:
        return False
    at = held_since(connection, rule.product_id, microseconds(utc_now()))
    past = past_lowest(connection, rule, rule.product_id, first=microseconds(product.first), at=at)
    # How long it has to be true, and the cooldown, play no part at the start.
    terms = rules.terms(rule, timedelta(0))
    return start(terms, Observed(at, at, product.price, past)).is_fired


def _is_true(rule: RuleRow, price: int | None, *, holds: bool | None) -> bool | None:
    match Kind(rule.kind):
        case Kind.THRESHOLD:
            return price is not None and rule.price is not None and price <= rule.price
        case Kind.OUT_OF_STOCK:
            return price is None
        case Kind.BACK_IN_STOCK:
            return price is not None
        case _:
            return holds


def _channel_names(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    query = select(Channel.id, Channel.name).where(Channel.id.in_(list(ids)))
    return {row.id: row.name for row in connection.execute(query)}


def _products(connection: Connection, ids: Iterable[int]) -> dict[int, _ProductNow]:
    newest = (
        select(PricePoint.lowest_price)
        .where(PricePoint.product_id == Product.id)
        .order_by(PricePoint.starts_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    first = (
        select(func.min(PricePoint.starts_at)).where(PricePoint.product_id == Product.id).scalar_subquery()
    )
    query = select(Product.id, Product.name, newest, Refresh.refreshed_at, first).join(Refresh)
    rows = connection.execute(query.where(Product.id.in_(list(ids))))
    return {row.id: _ProductNow(*row[1:]) for row in rows}


def _states(connection: Connection, rule_ids: Sequence[int]) -> dict[int, _StateNow]:
    """How each rule does, for any product."""
    fired = func.max(case((AlertState.is_fired, 1), else_=0))
    is_so = or_(AlertState.is_fired, AlertState.pending_since.is_not(None))
    holds = func.max(case((and_(is_so, _is_still_reached()), 1), else_=0))
    # Of other rules, the state of no product notes when the service was down.
    has_fired = or_(AlertState.product_id.is_not(None), AlertRule.kind == Kind.SERVICE)
    fired_at = func.max(case((has_fired, AlertState.fired_at)))
    query = select(AlertState.rule_id, fired, holds, fired_at).join(AlertRule)
    query = query.outerjoin(ProductPrice, ProductPrice.product_id == AlertState.product_id)
    rows = connection.execute(query.where(AlertState.rule_id.in_(rule_ids)).group_by(AlertState.rule_id))
    return {
        rule_id: _StateNow(bool(is_fired), bool(holds_of_any), told)
        for rule_id, is_fired, holds_of_any, told in rows
    }


def _is_still_reached() -> ColumnElement[bool]:
    """A rule about prices stays fired until the price is some percent away: its condition may be over."""
    price, limit = ProductPrice.lowest_price, AlertState.price_limit
    # Without a row the price is not known yet.
    is_elsewhere = or_(AlertRule.kind.not_in(PRICE_KINDS), ProductPrice.product_id.is_(None))
    is_fall = and_(AlertRule.kind != Kind.RISE, price <= limit)
    # Dearer than the low that was told is no new low.
    is_low = or_(
        AlertRule.kind != Kind.NEW_LOW, AlertState.is_fired.is_(False), price <= AlertState.fired_price
    )
    return or_(is_elsewhere, and_(AlertRule.kind == Kind.RISE, price >= limit), and_(is_fall, is_low))
