"""What the refresher reports, and when."""

import pytest
from prometheus_client import CollectorRegistry

from refresher.metrics import Backlog, Metrics, StoreResult


@pytest.fixture
def metrics(caplog: pytest.LogCaptureFixture) -> Metrics:
    caplog.set_level("INFO")
    return Metrics(CollectorRegistry())


def test_the_end_of_a_cycle_is_logged(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.count_stored(StoreResult(refreshed=2), idle=False)
    metrics.count_stored(StoreResult(refreshed=3), idle=True)

    assert caplog.messages == ["5 products refreshed"]


def test_a_little_work_at_any_time_shares_a_line(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        metrics.count_stored(StoreResult(refreshed=2), idle=True)

    assert caplog.messages == ["2 products refreshed"]


def test_refused_offers_are_named_at_once(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.count_stored(StoreResult(refreshed=2), idle=True)
    metrics.count_stored(
        StoreResult(refreshed=1, refused_offers=3, incomplete=[(7, "offer 5: no")]), idle=True
    )

    assert caplog.messages == ["2 products refreshed", "1 products refreshed", "offers refused"]
    assert (
        vars(caplog.records[-1]).items() >= {"offers": 3, "for_example": 7, "reason": "offer 5: no"}.items()
    )


@pytest.mark.parametrize(
    "news", [StoreResult(registered=1), StoreResult(failed=1, errors=[(7, "no answer")])]
)
def test_news_are_logged_at_once(
    metrics: Metrics, caplog: pytest.LogCaptureFixture, news: StoreResult
) -> None:
    metrics.count_stored(StoreResult(refreshed=2), idle=True)
    news.refreshed = 1
    metrics.count_stored(news, idle=True)

    assert caplog.messages[:2] == ["2 products refreshed", "1 products refreshed"]


def test_the_latest_refresh_can_be_watched() -> None:
    registry = CollectorRegistry()
    Metrics(registry).count_stored(StoreResult(refreshed=2, late_s=1.5), idle=False)

    assert registry.get_sample_value("productator_refresher_lateness_seconds") == 1.5


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("refreshes_total", {"outcome": "lost"}, 2),
        ("batch_seconds_count", {}, 2),
        ("batch_seconds_sum", {}, 0.75),
        ("calls_total", {"status": "200"}, 5),
        ("calls_total", {"status": "none"}, 1),
        ("breaker_open", {}, 1),
        ("refused_offers_total", {}, 3),
    ],
)
def test_what_goes_wrong_can_be_watched(name: str, labels: dict[str, str], value: float) -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.count_stored(StoreResult(lost=2, batches_s=[0.25, 0.5], refused_offers=3), idle=True)
    metrics.count_calls({"200": 2})
    metrics.set_breaker(is_open=False)
    metrics.count_calls({"200": 3, "none": 1})
    metrics.set_breaker(is_open=True)

    assert registry.get_sample_value(f"productator_refresher_{name}", labels) == value


def test_alarms_can_count_in_periods() -> None:
    registry = CollectorRegistry()
    Backlog(registry, period_s=30)

    assert registry.get_sample_value("productator_refresher_period_seconds") == 30
