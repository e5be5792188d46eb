"""The quiet hours of a channel: a time of the day in a time zone, which may go past midnight. Pure."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = 24 * 60


class QuietHours(NamedTuple):
    """In minutes since midnight, by the clocks of the zone."""

    begin: int
    end: int
    zone: str


def end_of_quiet(hours: QuietHours, now: datetime) -> datetime | None:
    """When it stops being quiet; None: it is not quiet now."""
    local = now.astimezone(ZoneInfo(hours.zone))
    minute = local.hour * 60 + local.minute
    if (minute - hours.begin) % _DAY >= (hours.end - hours.begin) % _DAY:
        return None
    day = local.date() + timedelta(days=int(minute >= hours.end))
    # By the clock: a night in which clocks change is longer or shorter.
    end = datetime(day.year, day.month, day.day, *divmod(hours.end, 60), tzinfo=local.tzinfo).astimezone(UTC)
    # Of an hour that clocks show twice, the end that is still to come.
    return end if end > now else end + timedelta(hours=1)
