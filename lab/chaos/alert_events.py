"""After a run: every cause has exactly one event, and every event has arrived."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from lab.chaos.plain_firing import PlainRule, Stretch, firings
from lab.chaos.plan import Findings, Plan
from lab.chaos.receivers import Receivers
from productator.database.transactions import run_transaction
from productator.domain import utc_now
from productator.models import (
    AlertRule,
    ChangedProduct,
    Delivery,
    Event,
    PricePoint,
    Product,
    Refresh,
    RuleChannel,
)
from productator.prices.segments import SECOND, microseconds

_MOST_NAMED = 5
_Key = tuple[int, int, int]


def look_at_everything(engine: Engine) -> int:
    """As if all leases had ended, and every product had changed: what is told then is all that there is.

    Returns the last row of the outbox that this needs. Products that nobody refreshes are noted for ever.
    """

    def note(session: Session) -> int:
        session.execute(update(ChangedProduct).values(claim_token=None, claimed_until=None))
        products = [{"product_id": each} for each in session.scalars(select(Product.id))]
        session.execute(insert(ChangedProduct), products)
        pending = update(Delivery).where(Delivery.status == "pending")
        session.execute(pending.values(claim_token=None, next_try_at=utc_now()))
        return session.scalar(select(func.max(ChangedProduct.id))) or 0

    return run_transaction(sessionmaker(engine), note)


def is_all_delivered(engine: Engine, noted_until: int) -> bool:
    """Whether nothing waits; what waits for its next try is tried at once, but no call that is under way."""

    def hurry(session: Session) -> bool:
        now = utc_now()
        is_waiting = (Delivery.status == "pending", Delivery.claim_token.is_(None))
        ids = session.scalars(select(Delivery.id).where(*is_waiting, Delivery.next_try_at > now)).all()
        if ids:
            waiting = update(Delivery).where(Delivery.id.in_(ids), *is_waiting)
            session.execute(waiting.values(next_try_at=now))
        noted = select(ChangedProduct.id).where(ChangedProduct.id <= noted_until)
        is_noted = session.scalar(noted.limit(1)) is not None
        is_pending = session.scalar(select(Delivery.id).where(Delivery.status == "pending").limit(1))
        return not is_noted and is_pending is None

    # The notifier writes the same rows.
    return run_transaction(sessionmaker(engine), hurry)


def waiting(engine: Engine) -> str:
    (noted,) = _rows(engine, select(func.count()).select_from(ChangedProduct))
    pending = select(Delivery.last_error, func.count()).where(Delivery.status == "pending")
    return f"{noted[0]} products noted, pending {_rows(engine, pending.group_by(Delivery.last_error))}"


def check_alert_events(engine: Engine, receivers: Receivers, plan: Plan, findings: Findings) -> None:
    expected, events = _expected(engine, plan), _events(engine)
    missing = expected.keys() - events.keys()
    extra = events.keys() - expected.keys()
    wrong = {key for key in expected.keys() & events.keys() if expected[key] != events[key]}
    _name(findings, "missing", missing)
    _name(findings, "without a cause", extra)
    _name(findings, "with another price", wrong)
    findings.expect(
        # Fewer would show nothing.
        len(events) > plan.rules / 10 and not (missing or extra or wrong),
        f"{len(expected)} causes by a replay of the history, {len(events)} events:"
        f" {len(missing)} missing, {len(extra)} without a cause, {len(wrong)} wrong",
    )
    _check_deliveries(engine, receivers, findings)


def _check_deliveries(engine: Engine, receivers: Receivers, findings: Findings) -> None:
    channels = Counter(rule_id for (rule_id,) in _rows(engine, select(RuleChannel.rule_id)))
    needed = sum(channels[rule_id] for (rule_id,) in _rows(engine, select(Event.rule_id)))
    deliveries = _rows(engine, select(Delivery.message_id, Delivery.status, Delivery.attempts))
    statuses = Counter(status for _, status, _ in deliveries)
    ids = {message_id for message_id, *_ in deliveries}
    tries = receivers.received.total()
    findings.note(f"{tries} messages received, answered with {dict(receivers.answers)}")
    findings.expect(statuses == {"delivered": needed}, f"{needed} deliveries of all events: {dict(statuses)}")
    lost = ids - receivers.received.keys()
    findings.expect(not lost, f"{len(lost)} deliveries never arrived")
    twice = tries - len(receivers.received)
    unknown = receivers.received.keys() - ids
    changed = [each for each, bodies in receivers.bodies.items() if len(bodies) > 1]
    findings.expect(
        not (unknown or changed),
        f"{twice} messages were repetitions, each with its id and body;"
        f" {len(unknown)} ids of no delivery, {len(changed)} with another body",
    )


def _expected(engine: Engine, plan: Plan) -> dict[_Key, int | None]:
    histories = _histories(engine)
    first_periods = 2 * round(plan.period_s * SECOND)
    found: dict[_Key, int | None] = {}
    for rule in _rules(engine, plan):
        for product_id in histories if rule.product_id is None else [rule.product_id]:
            history = histories.get(product_id, [])
            if history:
                begins = max(rule.counts_from, history[0].start + first_periods)
                found |= {
                    (rule.id, product_id, each.since): each.price for each in firings(rule, history, begins)
                }
    return found


def _rules(engine: Engine, plan: Plan) -> list[PlainRule]:
    return [
        PlainRule(
            id=row.id,
            kind=row.kind,
            product_id=row.product_id,
            price=row.price,
            percent=round(row.percent or 0),
            confirm=round(row.confirm_periods * plan.period_s * SECOND),
            cooldown=row.cooldown_s * SECOND,
            rearm_percent=round(row.rearm_percent),
            counts_from=microseconds(row.counts_from),
        )
        for row in _rows(engine, select(AlertRule.__table__))
    ]


def _histories(engine: Engine) -> Mapping[int, Sequence[Stretch]]:
    """Each product's stretches, the last one as far as the refresher has seen it."""
    points: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
    query = select(PricePoint.product_id, PricePoint.starts_at, PricePoint.lowest_price)
    for product_id, starts_at, price in _rows(engine, query.order_by(PricePoint.starts_at)):
        points[product_id].append((microseconds(starts_at), price))
    refreshed = {
        product_id: 0 if at is None else microseconds(at)
        for product_id, at in _rows(engine, select(Refresh.product_id, Refresh.refreshed_at))
    }
    return {
        product_id: [
            Stretch(start, end, price)
            for (start, price), (end, _) in pairwise(
                [*found, (max(refreshed[product_id], found[-1][0]), None)]
            )
        ]
        for product_id, found in points.items()
    }


def _events(engine: Engine) -> dict[_Key, int | None]:
    query = select(Event.cause, Event.data)
    return {_key(cause): _price(data) for cause, data in _rows(engine, query)}


def _key(cause: str) -> _Key:
    rule_id, product_id, since = map(int, cause.split(":"))
    return rule_id, product_id, since


def _price(data: str) -> int | None:
    price: int | None = json.loads(data)["price"]
    return price


def _name(findings: Findings, what: str, keys: Any) -> None:
    for key in sorted(keys)[:_MOST_NAMED]:
        findings.note(f"        {what}: rule {key[0]}, product {key[1]}, change at {key[2]}")


def _rows(engine: Engine, query: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(query))
