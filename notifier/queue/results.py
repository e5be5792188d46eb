"""Stores what became of tries, and disables channels that fail for good."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from notifier.queue.claims import DeliveryClaim
from notifier.queue.schedule import pause_after
from productator.alerts.deliveries import CHANNEL_DISABLED, TEST, Status, announce
from productator.database.bulk import update_each
from productator.database.column_types import UtcDateTime
from productator.database.number_lists import in_list
from productator.models import Channel, Delivery
from productator.models.alerts import ERROR_LENGTH
from productator.prices.segments import microseconds

# A channel that has only failed for so long is disabled.
_FAILING_FOR = timedelta(days=5)
_DELIVERIES = cast("Table", Delivery.__table__)
_FAILURE_COLUMNS = (
    "id",
    "status",
    "attempts",
    "next_try_at",
    "claim_token",
    "last_status",
    "last_error",
)
_DELIVERED = (
    update(Delivery)
    .where(in_list(Delivery.id, "ids"))
    .values(
        status=Status.DELIVERED,
        attempts=Delivery.attempts + 1,
        next_try_at=None,
        claim_token=None,
        last_status=bindparam("answer"),
        last_error=bindparam("note"),
        delivered_at=bindparam("now", type_=UtcDateTime),
    )
)


class DeliveryOutcome(NamedTuple):
    """What became of a try; without an error it has succeeded."""

    claim: DeliveryClaim
    error: str | None
    # Of the answer; None: there was none.
    status: int | None = None
    retry_after: timedelta | None = None
    # The claim had lapsed before the try began: nothing was sent, and nothing is to be stored.
    is_lapsed: bool = False
    # Of a success: what went wrong all the same.
    note: str | None = None


def store(
    session: Session, outcomes: Sequence[DeliveryOutcome], *, now: datetime, chance: random.Random
) -> dict[str, int]:
    """Stores the outcomes of claims that are still ours; returns how many had which.

    A claim whose lease has ended may be another notifier's now: that one stores its own outcome.
    """
    counts: dict[str, int] = defaultdict(int)
    succeeded = [each for each in outcomes if each.error is None]
    counts[Status.DELIVERED] = _store_successes(session, succeeded, now)
    failed = _ours(session, [each for each in outcomes if each.error is not None])
    rows = [_failure(each, now, chance) for each in failed]
    update_each(session.connection(), _DELIVERIES, _FAILURE_COLUMNS, rows)
    for row in rows:
        counts["retried" if row[1] == Status.PENDING else row[1]] += 1
    _judge_channels(session, [*succeeded, *failed], now)
    return counts


def _store_successes(session: Session, outcomes: Iterable[DeliveryOutcome], now: datetime) -> int:
    """Most of them have the same status and no note, and all else is the same: few statements."""
    alike: dict[tuple[int | None, str | None], list[DeliveryClaim]] = defaultdict(list)
    for outcome in outcomes:
        alike[outcome.status, outcome.note].append(outcome.claim)
    stored = 0
    for (status, note), its in alike.items():
        statement = _DELIVERED.where(Delivery.claim_token.in_({each.token for each in its}))
        ids = sorted(each.delivery_id for each in its)
        values = {"ids": ids, "answer": status, "note": note, "now": now}
        result = session.connection().execute(statement, values)
        stored += result.rowcount
    return stored


def _ours(session: Session, outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    by_id = {each.claim.delivery_id: each for each in outcomes}
    if not by_id:
        return []
    query = select(Delivery.id, Delivery.claim_token).where(in_list(Delivery.id, "ids"))
    found = session.execute(query.order_by(Delivery.id).with_for_update(), {"ids": sorted(by_id)})
    return [by_id[each] for each, token in found if by_id[each].claim.token == token]


def _failure(outcome: DeliveryOutcome, now: datetime, chance: random.Random) -> tuple[Any, ...]:
    """The values of `_FAILURE_COLUMNS`."""
    attempts, key = outcome.claim.attempts + 1, outcome.claim.delivery_id
    pause = pause_after(attempts, retry_after=outcome.retry_after, chance=chance)
    status, next_try_at = (
        (Status.FAILED, None) if pause is None or _is_gone(outcome) else (Status.PENDING, now + pause)
    )
    return key, status, attempts, next_try_at, None, outcome.status, (outcome.error or "")[:ERROR_LENGTH]


def _is_gone(outcome: DeliveryOutcome) -> bool:
    return outcome.status == HTTPStatus.GONE


def _judge_channels(session: Session, outcomes: Sequence[DeliveryOutcome], now: datetime) -> None:
    by_channel: Mapping[int, list[DeliveryOutcome]] = defaultdict(list)
    for outcome in outcomes:
        by_channel[outcome.claim.channel.id].append(outcome)
    succeeded = [id_ for id_, its in by_channel.items() if any(each.error is None for each in its)]
    tested = [each.claim.channel.id for each in outcomes if _is_passed_test(each)]
    failed = sorted(by_channel.keys() - set(succeeded))
    if failed:
        # In one order everywhere, so that two notifiers do not wait for each other.
        all_of_them = select(Channel.id).where(Channel.id.in_(sorted(by_channel))).order_by(Channel.id)
        session.execute(all_of_them.with_for_update())
    _succeeded(session, succeeded, tested, now)
    for channel_id in failed:
        _failed(session, channel_id, any(map(_is_gone, by_channel[channel_id])), now)


def _is_passed_test(outcome: DeliveryOutcome) -> bool:
    return outcome.error is None and outcome.claim.event_type == TEST


def _succeeded(session: Session, channel_ids: Sequence[int], tested: Sequence[int], now: datetime) -> None:
    connection = session.connection()
    if channel_ids:
        these = update(Channel).where(Channel.id.in_(sorted(channel_ids)))
        connection.execute(these.values(last_success_at=now, failing_since=None))
    if tested:
        these = update(Channel).where(Channel.id.in_(sorted(tested)), Channel.disabled_at.is_not(None))
        enabled = {"disabled_at": None, "disabled_reason": None} | _changed(now)
        connection.execute(these.values(enabled))


def _failed(session: Session, channel_id: int, is_gone: bool, now: datetime) -> None:
    connection = session.connection()
    this = update(Channel).where(Channel.id == channel_id)
    connection.execute(this.where(Channel.failing_since.is_(None)).values(failing_since=now))
    reason = "The receiver answered 410: gone." if is_gone else "Every delivery failed for five days."
    fails_for_good = this.where(Channel.disabled_at.is_(None))
    if not is_gone:
        fails_for_good = fails_for_good.where(Channel.failing_since <= now - _FAILING_FOR)
    values = {"disabled_at": now, "disabled_reason": reason} | _changed(now)
    if connection.execute(fails_for_good.values(values)).rowcount:
        _announce_disabled(session, channel_id, reason, now)


def _changed(now: datetime) -> dict[str, Any]:
    return {"version": Channel.version + 1, "updated_at": now}


def _announce_disabled(session: Session, channel_id: int, reason: str, now: datetime) -> None:
    """Tells the other channels."""
    name = session.scalars(select(Channel.name).where(Channel.id == channel_id)).one()
    others = select(Channel.id).where(Channel.disabled_at.is_(None)).order_by(Channel.id)
    announce(
        session,
        CHANNEL_DISABLED,
        {"channel": {"id": channel_id, "name": name}, "reason": reason},
        cause=f"disabled:{channel_id}:{microseconds(now)}",
        channel_ids=session.scalars(others).all(),
        now=now,
    )
