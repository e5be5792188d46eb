"""Writes what refreshers would say of themselves, for screenshots and tests of the page of the system."""

import random
from datetime import datetime, timedelta
from importlib import metadata

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from productator.models import Refresh, RefresherHeartbeat, RefreshHour

_NAMES = ("refresher-0", "refresher-1")


def add_refreshers(session: Session, *, now: datetime, down_since: datetime | None = None) -> None:
    """Two, in place of those that are there; the Offers service answers them, or is down."""
    session.execute(delete(RefresherHeartbeat))
    session.add_all(
        RefresherHeartbeat(
            name=name,
            version=metadata.version("productator"),
            started_at=now - timedelta(days=3, hours=number),
            # They are alive for as long as somebody may look, however slow the machine is.
            seen_at=now + timedelta(minutes=20),
            down_since=down_since,
            last_success_at=(down_since or now) - timedelta(seconds=1),
            refreshes_per_s=0.0 if down_since else 0.2,
        )
        for number, name in enumerate(_NAMES)
    )


def add_hours(session: Session, *, now: datetime, products: int) -> None:
    """A day in which prices moved more while shops were open."""
    chance = random.Random(5)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    session.add_all(
        RefreshHour(
            starts_at=starts_at,
            refreshes=round(20 * products * min((now - starts_at) / timedelta(hours=1), 1)),
            failures=chance.choice((0, 0, 0, 2)),
            changes=chance.randint(10, 20) if 7 <= starts_at.hour <= 20 else chance.randint(0, 5),
        )
        for hour in range(24)
        for starts_at in [this_hour - timedelta(hours=hour)]
    )


def age(session: Session, *, now: datetime, by: timedelta) -> None:
    """All offers as after an outage of the service of that length."""
    values = {"refreshed_at": now - by, "failures": 4, "last_error": "The Offers service answered 503."}
    session.execute(update(Refresh).where(Refresh.refreshed_at.is_not(None)).values(values))
