"""The quiet hours of a channel: a time of the day in a time zone, which may go past midnight. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = 24 * 60
_MINUTE = timedelta(minutes=1)


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
    clock = datetime(day.year, day.month, day.day, *divmod(hours.end, 60), tzinfo=local.tzinfo)
    early, late = sorted(clock.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(local.tzinfo).replace(tzinfo=None) != clock.replace(tzinfo=None):
        # Clocks skip this time: it has come when they jump.
        return _jump(early, late, local.tzinfo)
    # Of an hour that clocks show twice, the end that is still to come.
    return early if early > now else late


def _jump(before: datetime, after: datetime, zone: tzinfo | None) -> datetime:
    """When clocks change between these times, which are in UTC: at a whole minute."""
    offset = after.astimezone(zone).utcoffset()
    while after > before and (after - _MINUTE).astimezone(zone).utcoffset() == offset:
        after -= _MINUTE
    return after
