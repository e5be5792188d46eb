"""Alert rules: create, read, change and delete them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.orm import Session

from productator.alerts.firing import PRICE_KINDS, Kind, Terms
from productator.alerts.validation import RuleIn, contradictions
from productator.catalogue import versions
from productator.catalogue.versions import ANY_VERSION, Expected
from productator.database.keyset import Page, Position, orders, read_page
from productator.errors import AlertRuleNotFound, InvalidInput
from productator.models import AlertRule, AlertState, Channel, Product, RuleChannel
from productator.models.alerts import WATCHED_KINDS
from productator.prices.segments import SECOND

KINDS_OF_PRICES = sorted(PRICE_KINDS | {Kind.BACK_IN_STOCK, Kind.OUT_OF_STOCK})
# A rule that asks for something else begins anew.
_TERMS = frozenset({"kind", "product_id", "q", "price", "percent", "days", "rearm_percent"})
# When a pending rule fires depends on these.
_DELAYS = frozenset({"cooldown_s", "confirm_periods"})
_RULES = cast("Table", AlertRule.__table__)
_STATES = cast("Table", AlertState.__table__)
_RULE_CHANNELS = cast("Table", RuleChannel.__table__)


class RuleRow(NamedTuple):
    id: int
    kind: str
    product_id: int | None
    q: str | None
    price: int | None
    percent: float | None
    days: int | None
    cooldown_s: int
    confirm_periods: int
    rearm_percent: float
    muted_until: datetime | None
    active: bool
    counts_from: datetime
    version: int
    created_at: datetime
    updated_at: datetime


_COLUMNS = [_RULES.c[name] for name in RuleRow._fields]
ORDERS = orders(AlertRule.id, id=AlertRule.id)


def create(session: Session, new: RuleIn, *, now: datetime) -> RuleRow:
    """Creates a rule; raises InvalidInput."""
    _check(session, new)
    rule = AlertRule(**new.columns(), counts_from=now, created_at=now, updated_at=now)
    session.add(rule)
    session.flush()
    _set_channels(session, rule.id, new.channel_ids)
    _watch(session, rule, now=now)
    return _row(rule)


def get(connection: Connection, rule_id: int) -> RuleRow:
    row = connection.execute(select(*_COLUMNS).where(_RULES.c.id == rule_id)).one_or_none()
    if row is None:
        raise AlertRuleNotFound(rule_id)
    return RuleRow._make(row)


def page(connection: Connection, *, sort: str, limit: int, position: Position | None) -> Page[RuleRow]:
    return read_page(connection, select(*_COLUMNS), ORDERS[sort], limit=limit, position=position).map(
        RuleRow._make
    )


def of_product(connection: Connection, product_id: int, *, limit: int) -> list[RuleRow]:
    """The rules about this product alone, oldest first."""
    query = select(*_COLUMNS).where(_RULES.c.product_id == product_id).order_by(_RULES.c.id)
    return [RuleRow._make(row) for row in connection.execute(query.limit(limit))]


def count_of_product(connection: Connection, product_id: int) -> int:
    query = select(func.count()).select_from(_RULES).where(_RULES.c.product_id == product_id)
    return connection.execute(query).scalar_one()


def replace(
    session: Session, rule_id: int, new: RuleIn, *, expected: Expected = ANY_VERSION, now: datetime
) -> RuleRow:
    rule = _locked(session, rule_id, expected)
    return _change(session, rule, new, now=now)


def patch(
    session: Session,
    rule_id: int,
    changes: Mapping[str, Any],
    *,
    expected: Expected = ANY_VERSION,
    now: datetime,
) -> RuleRow:
    """Sets the named fields; what they make of the rule must be acceptable as a whole."""
    rule = _locked(session, rule_id, expected)
    stored = {name: getattr(rule, name) for name in RuleIn.COLUMNS}
    channel_ids = channels_of(session.connection(), [rule_id]).get(rule_id, [])
    new = RuleIn.model_construct(set(changes), **{**stored, "channel_ids": channel_ids, **changes})
    return _change(session, rule, new, now=now)


def mute(session: Session, rule_id: int, *, until: datetime | None, now: datetime) -> RuleRow:
    """Until then the rule's events are stored, but delivered to nobody; None: it is muted no longer."""
    return patch(session, rule_id, {"muted_until": until}, now=now)


def remove(session: Session, rule_id: int, *, expected: Expected = ANY_VERSION) -> None:
    session.delete(_locked(session, rule_id, expected))
    session.flush()


def channels_of(connection: Connection, rule_ids: Iterable[int]) -> dict[int, list[int]]:
    """The ids of each rule's channels."""
    query = select(RuleChannel.rule_id, RuleChannel.channel_id).where(RuleChannel.rule_id.in_(list(rule_ids)))
    found: dict[int, list[int]] = {}
    for rule_id, channel_id in connection.execute(
        query.order_by(RuleChannel.rule_id, RuleChannel.channel_id)
    ):
        found.setdefault(rule_id, []).append(channel_id)
    return found


def terms(rule: AlertRule | RuleRow, period: timedelta) -> Terms:
    """What the rule asks for, as `firing` takes it."""
    return Terms(
        kind=Kind(rule.kind),
        price=rule.price or 0,
        percent=rule.percent or 0,
        confirm=rule.confirm_periods * (period // timedelta(microseconds=1)),
        # A second outage is news however soon it comes. Told after a cooldown, it would be told too late.
        cooldown=0 if rule.kind == Kind.SERVICE else rule.cooldown_s * SECOND,
        rearm_percent=rule.rearm_percent,
    )


def _change(session: Session, rule: AlertRule, new: RuleIn, *, now: datetime) -> RuleRow:
    _check(session, new)
    columns = new.columns()
    changed = {name for name, value in columns.items() if getattr(rule, name) != value}
    begins_anew = bool(changed & _TERMS) or ("active" in changed and new.active)
    if begins_anew:
        session.execute(delete(AlertState).where(AlertState.rule_id == rule.id))
        columns["counts_from"] = now
    elif changed & _DELAYS:
        _look_again(session, rule.id, now=now)
    has_channels = channels_of(session.connection(), [rule.id]).get(rule.id, [])
    if sorted(set(new.channel_ids)) != has_channels:
        _set_channels(session, rule.id, new.channel_ids)
        # The channels are part of what is tagged with the version.
        rule.updated_at = now
        session.flush()
    versions.apply(session, rule, columns, now=now)
    if begins_anew:
        _watch(session, rule, now=now)
    return _row(rule)


def _check(session: Session, new: RuleIn) -> None:
    """Raises InvalidInput with everything that is wrong."""
    wrong = contradictions(new)
    product_id = new.product_id
    if product_id is not None and session.get(Product, product_id) is None:
        wrong.append(("/product_id", f"There is no product {product_id}."))
    known = set(session.scalars(select(Channel.id).where(Channel.id.in_(new.channel_ids))))
    wrong += [
        (f"/channel_ids/{index}", f"There is no channel {channel_id}.")
        for index, channel_id in enumerate(new.channel_ids)
        if channel_id not in known
    ]
    if wrong:
        raise InvalidInput(wrong)


def _set_channels(session: Session, rule_id: int, channel_ids: Sequence[int]) -> None:
    session.execute(delete(_RULE_CHANNELS).where(_RULE_CHANNELS.c.rule_id == rule_id))
    rows = [{"rule_id": rule_id, "channel_id": channel_id} for channel_id in sorted(set(channel_ids))]
    if rows:
        session.execute(insert(_RULE_CHANNELS), rows)


def _look_again(session: Session, rule_id: int, *, now: datetime) -> None:
    """At the products for which the rule is pending: perhaps it has waited long enough."""
    pending = (
        _STATES.c.rule_id == rule_id,
        _STATES.c.product_id.is_not(None),
        _STATES.c.pending_since.is_not(None),
    )
    session.execute(update(_STATES).where(*pending).values(check_at=now))


def _watch(session: Session, rule: AlertRule, *, now: datetime) -> None:
    """The state of no product says when a watched rule is due; of several notifiers one takes it."""
    if rule.kind in WATCHED_KINDS:
        session.add(AlertState(rule_id=rule.id, is_fired=False, seen_at=now, check_at=now))
        session.flush()


def _locked(session: Session, rule_id: int, expected: Expected) -> AlertRule:
    rule = session.get(AlertRule, rule_id, with_for_update=True)
    if rule is None:
        raise AlertRuleNotFound(rule_id)
    versions.check(rule, expected)
    return rule


def _row(rule: AlertRule) -> RuleRow:
    return RuleRow._make(getattr(rule, name) for name in RuleRow._fields)
