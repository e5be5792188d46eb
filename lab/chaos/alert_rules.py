"""Channels and rules of a run: about prices that the market reaches sooner or later."""

import random
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session, sessionmaker

from lab.chaos.plan import Plan
from productator.alerts import channels
from productator.alerts.channels import ChannelKind, NewChannel
from productator.alerts.firing import Kind
from productator.alerts.sealing import Seal
from productator.domain import utc_now
from productator.models import AlertRule, PricePoint, RuleChannel

_CHANNELS = 10
_STEADY = 3
_KINDS = [Kind.THRESHOLD, Kind.DROP, Kind.RISE, Kind.OUT_OF_STOCK, Kind.BACK_IN_STOCK]


def add_rules(engine: Engine, address: str, plan: Plan) -> None:
    """Most receivers are moody. Two rules are about all products."""
    chance, now = random.Random(plan.seed), utc_now()
    with sessionmaker(engine).begin() as session:
        channel_ids = [_channel(session, address, number) for number in range(_CHANNELS)]
        prices = _lowest_prices(session)
        product_ids = sorted(prices)
        rows = [
            _rule(chance, plan, prices, product_ids[number % len(product_ids)])
            for number in range(plan.rules)
        ]
        for row in rows[:2]:
            row |= {"kind": Kind.OUT_OF_STOCK, "product_id": None, "price": None, "percent": None}
        stamps = {"counts_from": now, "created_at": now, "updated_at": now, "version": 1, "active": True}
        session.execute(insert(AlertRule), [row | stamps for row in rows])
        rule_ids = session.scalars(select(AlertRule.id)).all()
        pairs = [
            {"rule_id": rule_id, "channel_id": channel_id}
            for rule_id in rule_ids
            for channel_id in chance.sample(channel_ids, chance.choice([1, 1, 2]))
        ]
        session.execute(insert(RuleChannel), pairs)


def _channel(session: Session, address: str, number: int) -> int:
    path = f"{'steady' if number < _STEADY else 'moody'}/{number}"
    new = NewChannel(path, ChannelKind.WEBHOOK, f"{address}/{path}", messages_an_hour=None)
    return channels.create(session, new, Seal(None), now=utc_now())[0].id


def _lowest_prices(session: Session) -> Mapping[int, int]:
    """Of each product the last one that is known; 0: it never had one."""
    rows = session.execute(
        select(PricePoint.product_id, PricePoint.lowest_price).order_by(PricePoint.starts_at)
    )
    return {product_id: price or 0 for product_id, price in rows}


def _rule(chance: random.Random, plan: Plan, prices: Mapping[int, int], product_id: int) -> dict[str, Any]:
    kind = chance.choice(_KINDS)
    threshold = round(prices[product_id] * chance.uniform(0.9, 1.05))
    return {
        "kind": kind,
        "product_id": product_id,
        "price": threshold if kind is Kind.THRESHOLD else None,
        "percent": chance.choice([1, 2, 5]) if kind in {Kind.DROP, Kind.RISE} else None,
        "cooldown_s": chance.choice([0, round(plan.period_s)]),
        "confirm_periods": chance.choice([0, 1, 2]),
        "rearm_percent": chance.choice([0, 2]),
    }
