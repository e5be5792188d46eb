"""When prices count as old."""

from datetime import datetime, timedelta

from flask import current_app

from productator.domain import STALE_AFTER_PERIODS, utc_now


def stale_after() -> timedelta:
    """The age at which prices are old."""
    return timedelta(seconds=STALE_AFTER_PERIODS * current_app.config["REFRESHER_PERIOD_S"])


def stale_since() -> datetime:
    """Prices that were last refreshed before this are old."""
    return utc_now() - stale_after()
