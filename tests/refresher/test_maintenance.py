"""The tasks beside refreshing keep up with what makes work for them."""

import time
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select, update

from productator.catalogue import products
from productator.domain import Retention, utc_now
from productator.models import IdempotencyKey, Product
from refresher import maintenance
from refresher.leases.schedule import Rhythm
from refresher.maintenance import Maintenance
from refresher.metrics import Backlog
from refresher.vitals import OwnVitals
from tests import factories
from tests.refresher.builders import LEASE, PERIOD
from tests.refresher.rows import Sessions

FOR_EVER = Retention(0, 0, 0, 0)


@pytest.fixture
def tasks(sessions: Sessions) -> Maintenance:
    backlog = Backlog(CollectorRegistry(), period_s=30)
    return Maintenance(sessions, FOR_EVER, Rhythm(PERIOD, LEASE), backlog, OwnVitals())


def run_due(tasks: Maintenance) -> None:
    """Runs the tasks that are due, once."""
    tasks.turn()
    while tasks.busy_s:
        time.sleep(0.005)


def keep_keys(sessions: Sessions, count: int, *, since: datetime) -> None:
    values = {"fingerprint": "f", "status": 201, "headers": "{}", "body": "{}", "created_at": since}
    with sessions.begin() as session:
        session.execute(insert(IdempotencyKey), [values | {"scope": f"{each}"} for each in range(count)])


def kept_keys(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0


def a_day_ago() -> datetime:
    return utc_now() - timedelta(hours=24, seconds=1)


def test_expired_keys_are_deleted_at_the_rate_of_an_api_that_makes_hundreds_a_second(
    sessions: Sessions, tasks: Maintenance
) -> None:
    """What expires in the ten seconds between two runs goes in one."""
    keep_keys(sessions, 3_000, since=a_day_ago())
    run_due(tasks)

    assert kept_keys(sessions) == 0


def test_deleting_expired_keys_lets_other_tasks_run_and_goes_on_at_once(
    sessions: Sessions, tasks: Maintenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_LONGEST_DELETING_S", 0.0)
    keep_keys(sessions, 1_200, since=a_day_ago())
    left = []
    for _ in range(3):
        run_due(tasks)
        left.append(kept_keys(sessions))

    assert left == [700, 200, 0]


def test_a_product_that_an_old_version_created_is_found_by_its_name(
    sessions: Sessions, tasks: Maintenance
) -> None:
    product_id = factories.stored_product(sessions, name="Lamp")
    with sessions.begin() as session:
        session.execute(update(Product).values(words=""))
    run_due(tasks)
    with sessions() as session:
        found = products.page(session.connection(), text="lamp", sort="id", limit=5, position=None)

    assert [row.id for row in found.rows] == [product_id]


def test_keys_that_have_not_expired_are_left_alone(sessions: Sessions, tasks: Maintenance) -> None:
    keep_keys(sessions, 3, since=utc_now())
    run_due(tasks)

    assert kept_keys(sessions) == 3
