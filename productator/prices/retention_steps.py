"""How long history is kept: a worker at a time deals with what is too old, some products in a transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from productator.domain import Retention
from productator.models import HistoryChore, Product, Refresh
from productator.prices.retention import Window, prune_changes, prune_points, roll_up_window

# So few that no lock is held for long.
_PRODUCTS_A_TIME = 50
_DAY = timedelta(days=1)
# Between the machines that make products and those that record their history, in rather bad order.
_CLOCKS_DIFFER = timedelta(minutes=5)


class _Chore(NamedTuple):
    name: str
    kept_days: int
    # For some products; returns the last one that is done.
    work: Callable[[Session, Sequence[int], Window], int]

    def next_window(self, done_until: datetime, *, now: datetime) -> Window | None:
        """The first day that is not done; None: nothing is old enough yet."""
        until = done_until + _DAY
        is_old = self.kept_days and until <= now - timedelta(days=self.kept_days)
        return Window(done_until, until) if is_old else None


def step(session: Session, retention: Retention, *, now: datetime) -> bool:
    """Does a little of what is due; returns whether there was anything.

    Fails at once while another worker does so.
    """
    progress = _held_progress(session, now=now)
    for chore in _chores(retention):
        done = progress[chore.name]
        window = chore.next_window(done.done_until, now=now)
        if window is not None:
            _advance(session, chore, done, window)
            return True
    return False


def _chores(retention: Retention) -> list[_Chore]:
    return [
        _Chore("hours", retention.raw_points_days, partial(roll_up_window, timedelta(hours=1))),
        _Chore("days", retention.hourly_points_days, partial(roll_up_window, _DAY)),
        _Chore("points", retention.daily_points_days, prune_points),
        _Chore("changes", retention.changes_days, prune_changes),
    ]


def _held_progress(session: Session, *, now: datetime) -> dict[str, HistoryChore]:
    """How far each chore has come; who holds these rows does the chores."""
    query = select(HistoryChore).order_by(HistoryChore.name).with_for_update(nowait=True)
    progress = {each.name: each for each in session.scalars(query)}
    if not progress:
        # Not the oldest point: no index leads to it, and nothing was recorded before a product was there.
        oldest = session.scalar(select(func.min(Product.created_at))) or now
        since = (oldest - _CLOCKS_DIFFER).replace(hour=0, minute=0, second=0, microsecond=0)
        names = ("hours", "days", "points", "changes")
        progress = {name: HistoryChore(name=name, done_until=since, product_id=0) for name in names}
        session.add_all(progress.values())
    return progress


def _advance(session: Session, chore: _Chore, done: HistoryChore, window: Window) -> None:
    following = select(Refresh.product_id).where(Refresh.product_id > done.product_id)
    product_ids = session.scalars(following.order_by(Refresh.product_id).limit(_PRODUCTS_A_TIME)).all()
    if product_ids:
        done.product_id = chore.work(session, product_ids, window)
    else:
        done.done_until, done.product_id = window.until, 0
