"""What the notifier deletes, and what it measures."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from notifier import maintenance
from notifier.maintenance import delete_old
from notifier.metrics import NotifierMetrics
from productator.domain import utc_now
from productator.models import ChangedProduct, Channel, Delivery, Event
from tests.notifier import rows

Sessions = sessionmaker[Session]
DAY = timedelta(days=1)


def _counts(sessions: Sessions) -> tuple[int, int]:
    """Of events and of deliveries."""
    with sessions() as session:
        events, deliveries = (
            session.scalar(select(func.count()).select_from(table)) or 0 for table in (Event, Delivery)
        )
    return events, deliveries


def _aged(sessions: Sessions, days: int, *, status: str = "delivered") -> None:
    """An event of so many days ago, and its delivery."""
    channel_id, _ = rows.new_channel(sessions, "http://127.0.0.1:9/")
    rows.new_delivery(sessions, channel_id, now=utc_now() - days * DAY)
    with sessions.begin() as session:
        session.execute(
            update(Delivery).where(Delivery.channel_id == channel_id).values(status=status, next_try_at=None)
        )


def _delete(sessions: Sessions) -> int:
    with sessions.begin() as session:
        return delete_old(session, now=utc_now())


@pytest.mark.parametrize(("days", "left"), [(29, (1, 1)), (31, (1, 0)), (89, (1, 0)), (91, (0, 0))])
def test_deliveries_are_kept_for_30_days_and_events_for_90(
    sessions: Sessions, days: int, left: tuple[int, int]
) -> None:
    _aged(sessions, days)
    _delete(sessions)

    assert _counts(sessions) == left


def test_a_delivery_that_waits_is_kept_as_long_as_its_event(sessions: Sessions) -> None:
    _aged(sessions, 31, status="held")
    _delete(sessions)

    assert _counts(sessions) == (1, 1)


def test_few_rows_are_deleted_at_a_time(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_ROWS_A_TIME", 2)
    for _ in range(3):
        _aged(sessions, 31)

    assert [_delete(sessions) for _ in range(3)] == [2, 1, 0]


class BrokenSessions:
    """A database that is away."""

    def __init__(self) -> None:
        self.tried = 0

    def begin(self) -> Session:
        self.tried += 1
        raise ConnectionError


def test_a_turn_that_failed_is_repeated_no_sooner_than_another() -> None:
    away: Any = BrokenSessions()
    tasks = maintenance.NotifierMaintenance(away, NotifierMetrics(CollectorRegistry()))
    with pytest.raises(ConnectionError):
        tasks.turn()
    tasks.turn()

    assert away.tried == 1


def _measured(sessions: Sessions, name: str) -> float:
    """By a notifier that has just started."""
    registry = CollectorRegistry()
    with sessions() as session:
        NotifierMetrics(registry).measure(session, now=utc_now())
    return registry.get_sample_value(f"productator_notifier_{name}") or 0.0


def test_the_age_of_the_outbox_is_its_oldest_rows_for_every_notifier(sessions: Sessions) -> None:
    noted = [{"product_id": 1, "noted_at": utc_now() - age} for age in (timedelta(minutes=9), timedelta(0))]
    with sessions.begin() as session:
        session.execute(insert(ChangedProduct), noted)

    assert 540 <= _measured(sessions, "outbox_age_seconds") < 600


def test_an_empty_outbox_has_no_age(sessions: Sessions) -> None:
    assert _measured(sessions, "outbox_age_seconds") == 0


def test_disabled_channels_are_counted(sessions: Sessions) -> None:
    _, *two = [rows.new_channel(sessions, "http://127.0.0.1:9/")[0] for _ in range(3)]
    with sessions.begin() as session:
        session.execute(update(Channel).where(Channel.id.in_(two)).values(disabled_at=utc_now()))

    assert _measured(sessions, "channels_disabled") == 2
