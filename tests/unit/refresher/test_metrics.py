"""What the refresher says of its work, and when."""

import pytest
from prometheus_client import CollectorRegistry

from refresher.metrics import Report
from refresher.storing.batch import Stored


@pytest.fixture
def report(caplog: pytest.LogCaptureFixture) -> Report:
    caplog.set_level("INFO")
    return Report(CollectorRegistry())


def test_the_end_of_a_cycle_is_said(report: Report, caplog: pytest.LogCaptureFixture) -> None:
    report.add(Stored(refreshed=2), idle=False)
    report.add(Stored(refreshed=3), idle=True)

    assert caplog.messages == ["5 products refreshed"]


def test_a_little_work_at_any_time_is_said_together(report: Report, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        report.add(Stored(refreshed=2), idle=True)

    assert caplog.messages == ["2 products refreshed"]


@pytest.mark.parametrize("news", [Stored(registered=1), Stored(failed=1, errors=[(7, "no answer")])])
def test_news_are_said_at_once(report: Report, caplog: pytest.LogCaptureFixture, news: Stored) -> None:
    report.add(Stored(refreshed=2), idle=True)
    news.refreshed = 1
    report.add(news, idle=True)

    assert caplog.messages[:2] == ["2 products refreshed", "1 products refreshed"]


def test_the_latest_refresh_can_be_watched() -> None:
    registry = CollectorRegistry()
    Report(registry).add(Stored(refreshed=2, late_s=1.5), idle=False)

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
    ],
)
def test_what_goes_wrong_can_be_watched(name: str, labels: dict[str, str], value: float) -> None:
    registry = CollectorRegistry()
    report = Report(registry)
    report.add(Stored(lost=2, batches_s=[0.25, 0.5]), idle=True)
    report.service(calls={"200": 2}, is_down=False)
    report.service(calls={"200": 3, "none": 1}, is_down=True)

    assert registry.get_sample_value(f"productator_refresher_{name}", labels) == value
