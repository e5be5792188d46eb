"""What waits for the notifier, which shows whether one runs."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from productator.alerts.deliveries import Status
from productator.models import ChangedProduct, Channel, Delivery

# A notifier that runs looks at a change, and tries what is due, within seconds.
_LATE = timedelta(minutes=2)


class NotifierBacklog(NamedTuple):
    # Since when the oldest change has not been looked at, or the oldest delivery is due; None: nothing waits.
    waiting_since: datetime | None
    # They failed for good, and nothing is sent to them.
    disabled_channels: int

    def is_late(self, *, now: datetime) -> bool:
        return self.waiting_since is not None and now - self.waiting_since > _LATE


def read(connection: Connection, *, now: datetime) -> NotifierBacklog:
    """Reads the ends of two indexes and all channels, which are few."""
    noted = select(ChangedProduct.noted_at).order_by(ChangedProduct.id).limit(1)
    due = (
        select(func.min(Delivery.next_try_at))
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.status == Status.PENDING, Delivery.next_try_at <= now, Channel.disabled_at.is_(None))
    )
    disabled = select(func.count()).select_from(Channel).where(Channel.disabled_at.is_not(None))
    times = [connection.scalar(noted), connection.scalar(due)]
    return NotifierBacklog(
        min((each for each in times if each is not None), default=None), connection.scalar(disabled) or 0
    )
