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


@pytest.mark.parametrize(
    ("zone", "end", "now", "ends"),
    [
        # Clocks jump from 02:00 to 03:00.
        ("Europe/Prague", "02:30", "2026-03-28T23:00", "2026-03-29T01:00"),
        ("Europe/Prague", "02:00", "2026-03-28T23:00", "2026-03-29T01:00"),
        ("Europe/Prague", "03:00", "2026-03-28T23:00", "2026-03-29T01:00"),
        ("Europe/Prague", "03:10", "2026-03-28T23:00", "2026-03-29T01:10"),
        # From 02:00 to 02:30.
        ("Australia/Lord_Howe", "02:15", "2026-10-03T14:00", "2026-10-03T15:30"),
        # They show the hour from 02:00 on twice, and on the island the half hour from 01:30 on.
        ("Europe/Prague", "02:30", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("Europe/Prague", "02:30", "2026-10-25T01:10", "2026-10-25T01:30"),
        ("Australia/Lord_Howe", "01:45", "2026-04-04T15:10", "2026-04-04T15:15"),
    ],
)
def test_hours_that_end_while_clocks_change(zone: str, end: str, now: str, ends: str) -> None:
    hours, minutes = map(int, end.split(":"))
    night = QuietHours(22 * 60, hours * 60 + minutes, zone)

    assert end_of_quiet(night, _utc(now)) == _utc(ends)


def test_after_a_time_that_clocks_skip_it_is_not_quiet() -> None:
    night = QuietHours(22 * 60, 2 * 60 + 30, "Europe/Prague")

    assert end_of_quiet(night, _utc("2026-03-29T01:00")) is None


def test_hours_within_a_day_end_on_that_day() -> None:
    lunch = QuietHours(12 * 60, 13 * 60, "UTC")

    assert end_of_quiet(lunch, _utc("2026-11-26T12:30")) == _utc("2026-11-26T13:00")
    assert end_of_quiet(lunch, _utc("2026-11-26T13:30")) is None
