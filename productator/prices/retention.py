"""Applies the retention settings: one worker at a time, a few products and one day in a transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from productator.domain import Retention
from productator.models import Product, Refresh, RetentionProgress
from productator.prices.old_history import DAY, prune_changes, prune_points, roll_up_day

# So few that no lock is held for long.
_PRODUCTS_A_STEP = 50
# The clock of a machine that creates products and that of one that records their history differ by less.
_CLOCKS_DIFFER = timedelta(minutes=5)


class _RetentionTask(NamedTuple):
    name: str
    # 0: for ever.
    kept_days: int
    # Deals with one day of some products; returns the last product that is done.
    work: Callable[[Session, Sequence[int], datetime], int]

    def is_due(self, day: datetime, *, now: datetime) -> bool:
        return bool(self.kept_days) and day + DAY <= now - timedelta(days=self.kept_days)


def apply_retention(session: Session, retention: Retention, *, now: datetime) -> bool:
    """Does a small part of the work that is due; returns whether there was any.

    Fails at once while another worker is at it.
    """
    progress = _locked_progress(session, now=now)
    for task in _tasks(retention):
        done = progress[task.name]
        if done.done_until > now:
            # A clock was ahead. What it made old too early stays as it is.
            done.done_until, done.product_id = _midnight(now - timedelta(days=task.kept_days)), 0
        if task.is_due(done.done_until, now=now):
            _advance(session, task, done)
            return True
    return False


def _tasks(retention: Retention) -> list[_RetentionTask]:
    return [
        _RetentionTask("hours", retention.raw_points_days, partial(roll_up_day, timedelta(hours=1))),
        _RetentionTask("days", retention.hourly_points_days, partial(roll_up_day, DAY)),
        _RetentionTask("points", retention.daily_points_days, prune_points),
        _RetentionTask("changes", retention.changes_days, prune_changes),
    ]


def _locked_progress(session: Session, *, now: datetime) -> dict[str, RetentionProgress]:
    """How far each task has come; the worker that locks these rows is the one that works on the tasks."""
    query = select(RetentionProgress).order_by(RetentionProgress.name).with_for_update(nowait=True)
    progress = {each.name: each for each in session.scalars(query)}
    if not progress:
        # Not the oldest point: no index leads to it, and nothing was recorded before a product was there.
        oldest = session.scalar(select(func.min(Product.created_at))) or now
        since = _midnight(oldest - _CLOCKS_DIFFER)
        names = ("hours", "days", "points", "changes")
        progress = {name: RetentionProgress(name=name, done_until=since, product_id=0) for name in names}
        session.add_all(progress.values())
    return progress


def _advance(session: Session, task: _RetentionTask, done: RetentionProgress) -> None:
    following = select(Refresh.product_id).where(Refresh.product_id > done.product_id)
    product_ids = session.scalars(following.order_by(Refresh.product_id).limit(_PRODUCTS_A_STEP)).all()
    if product_ids:
        done.product_id = task.work(session, product_ids, done.done_until)
    else:
        done.done_until, done.product_id = done.done_until + DAY, 0


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
