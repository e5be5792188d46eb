"""When quiet hours end."""

from datetime import UTC, datetime

import pytest

from productator.alerts.quiet_hours import QuietHours, end_of_quiet

_NIGHT = QuietHours(22 * 60, 7 * 60, "Europe/Prague")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-26T20:59", None),
        ("2026-11-26T21:00", "2026-11-27T06:00"),
        ("2026-11-27T05:59", "2026-11-27T06:00"),
        ("2026-11-27T06:00", None),
        # The night in which clocks go back, and the one in which they go forward.
        ("2026-10-24T21:00", "2026-10-25T06:00"),
        ("2026-03-28T22:00", "2026-03-29T05:00"),
    ],
)
def test_a_night_ends_by_the_clocks_of_its_zone(now: str, end: str | None) -> None:
    assert end_of_quiet(_NIGHT, _utc(now)) == (None if end is None else _utc(end))


def test_hours_within_a_day_end_on_that_day() -> None:
    lunch = QuietHours(12 * 60, 13 * 60, "UTC")

    assert end_of_quiet(lunch, _utc("2026-11-26T12:30")) == _utc("2026-11-26T13:00")
    assert end_of_quiet(lunch, _utc("2026-11-26T13:30")) is None
