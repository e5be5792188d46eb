"""Evaluates the rules about products that have changed."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker


def run_once(sessions: sessionmaker[Session], period: timedelta, now: datetime) -> tuple[int, int]:  # noqa: ARG001
    """How many products were looked at, and how many events were written."""
    return 0, 0
