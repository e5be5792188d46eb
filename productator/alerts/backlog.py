"""How long the notifier's work has waited: whoever reads alerts sees whether it gets on."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from productator.alerts.deliveries import Status
from productator.models import ChangedProduct, Channel, Delivery


def waiting_since(connection: Connection) -> datetime | None:
    """Since when the oldest change has not been looked at, or the oldest delivery has been due."""
    noted = select(ChangedProduct.noted_at).order_by(ChangedProduct.id).limit(1)
    due = (
        select(func.min(Delivery.next_try_at))
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.status == Status.PENDING, Channel.disabled_at.is_(None))
    )
    times = [connection.scalar(noted), connection.scalar(due)]
    return min((each for each in times if each is not None), default=None)
