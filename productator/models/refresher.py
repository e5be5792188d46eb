"""What each refresher says about itself, for people and for `GET /api/v1/system`."""

from datetime import datetime

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text

REFRESHER_NAME_LENGTH = 100
VERSION_LENGTH = 32


class RefresherHeartbeat(Base):
    """One row for each refresher, which it updates every few seconds."""

    __tablename__ = "refresher_heartbeats"

    # Host and process id.
    name: Mapped[str] = mapped_column(String(REFRESHER_NAME_LENGTH), primary_key=True)
    version: Mapped[str] = mapped_column(exact_text(VERSION_LENGTH))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # By the database server's clock, where it has one.
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Since when the circuit breaker has been open; null: it is closed.
    down_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Since the heartbeat before.
    refreshes_per_s: Mapped[float] = mapped_column(Double)

    __table_args__ = (TABLE_OPTIONS,)


class RefreshHour(Base):
    """What all refreshers did in an hour."""

    __tablename__ = "refresh_hours"

    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    # Of products.
    refreshes: Mapped[int] = mapped_column(BigId)
    failures: Mapped[int] = mapped_column(BigId)
    # Of offers: added, changed and removed.
    changes: Mapped[int] = mapped_column(BigId)

    __table_args__ = (TABLE_OPTIONS,)
