"""Figures of all products, on every database."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from refresher.metrics import Backlog
from tests.refresher.builders import NOW
from tests.refresher.rows import Sessions, set_refresh, stored_products


@pytest.fixture
def figures(sessions: Sessions) -> CollectorRegistry:
    """Three products that are due, for up to a minute, and one that is not; offers of up to an hour."""
    registry = CollectorRegistry()
    known, *_ = stored_products(sessions, 2, now=NOW - timedelta(minutes=1))
    set_refresh(sessions, known, pending=False, refreshed_at=NOW - timedelta(hours=1))
    stored_products(sessions, 1, now=NOW)
    (later,) = stored_products(sessions, 1, now=NOW + timedelta(seconds=1))
    set_refresh(sessions, later, refreshed_at=NOW, failures=1)
    backlog = Backlog(registry, period_s=30)
    with sessions() as session:
        backlog.measure_waiting(session, now=NOW)
        backlog.measure_all(session, now=NOW)
    return registry


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("products_due", 3),
        ("longest_wait_seconds", 60),
        ("oldest_offers_seconds", 3_600),
        ("products", 4),
        ("products_pending", 3),
        ("products_stale", 3),
        ("products_failing", 1),
    ],
)
def test_products_that_wait_can_be_watched(figures: CollectorRegistry, name: str, value: float) -> None:
    assert figures.get_sample_value(f"productator_refresher_{name}") == value


def test_without_products_nothing_waits(sessions: Sessions) -> None:
    registry = CollectorRegistry()
    with sessions() as session:
        Backlog(registry, period_s=30).measure_waiting(session, now=NOW)

    assert registry.get_sample_value("productator_refresher_longest_wait_seconds") == 0
