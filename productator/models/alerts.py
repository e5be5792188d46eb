"""Alerts: rules, how far each has come, channels, events, and their deliveries."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import NAME_LENGTH

CHANNEL_NAME_LENGTH = 100
ADDRESS_LENGTH = 2_000
ERROR_LENGTH = 200
# Kinds of rules that no change of a price makes true: the notifier looks at them once a period.
WATCHED_KINDS = ("stale", "service", "failing")


class Channel(Base):
    """Where alerts are delivered."""

    __tablename__ = "channels"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(CHANNEL_NAME_LENGTH))
    # webhook, slack, discord, mattermost, ntfy, gotify, apprise or email.
    kind: Mapped[str] = mapped_column(exact_text(16))
    # A URL, or mail addresses separated by commas.
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    # The key of a webhook's signatures, or the token of a service. Encrypted if there is a key for it.
    secret: Mapped[str | None] = mapped_column(exact_text(500))
    # After a rotation it signs, too, until then. After several within a day: two keys with a space between.
    old_secret: Mapped[str | None] = mapped_column(exact_text(500))
    old_secret_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Null: it delivers.
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_reason: Mapped[str | None] = mapped_column(String(ERROR_LENGTH))
    # Quiet hours in the time zone, as minutes since midnight; null: none.
    quiet_from: Mapped[int | None]
    quiet_until: Mapped[int | None]
    time_zone: Mapped[str | None] = mapped_column(exact_text(64))
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Since when every delivery has failed; null: the last one did not.
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # More messages wait for the end of the hour and are told in one; null: no limit.
    messages_an_hour: Mapped[int | None]

    __table_args__ = (TABLE_OPTIONS,)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict


class AlertRule(Base):
    """What to tell whom. With neither product nor search text it is about all products."""

    __tablename__ = "alert_rules"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # A value of `alerts.firing.Kind`.
    kind: Mapped[str] = mapped_column(exact_text(16))
    product_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), index=True
    )
    # Products whose names the search finds by this text.
    q: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    price: Mapped[int | None] = mapped_column(BigId)
    percent: Mapped[float | None] = mapped_column(Double)
    # Of `new_low`: the days that it looks back; null: all that is known.
    days: Mapped[int | None]
    cooldown_s: Mapped[int]
    confirm_periods: Mapped[int]
    rearm_percent: Mapped[float] = mapped_column(Double)
    muted_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    active: Mapped[bool] = mapped_column(server_default=text("1"))
    # What happened before is no news: set when the rule is made, activated, or asks for something else.
    counts_from: Mapped[datetime] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        CheckConstraint("product_id IS NULL OR q IS NULL", name="one_choice_of_products"),
        TABLE_OPTIONS,
    )
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict


class RuleChannel(Base):
    """The channels of a rule."""

    __tablename__ = "alert_rule_channels"

    rule_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("alert_rules.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    channel_id: Mapped[int] = mapped_column(
        BigId,
        ForeignKey("channels.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    )

    __table_args__ = (TABLE_OPTIONS,)


class AlertState(Base):
    """How far a rule has come for a product; the fields of `alerts.firing.State`, and where to go on."""

    __tablename__ = "alert_states"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rule_id: Mapped[int] = mapped_column(BigId, ForeignKey("alert_rules.id", ondelete="CASCADE"))
    # Null: a rule about the service.
    product_id: Mapped[int | None] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), index=True
    )
    is_fired: Mapped[bool]
    price_limit: Mapped[int | None] = mapped_column(BigId)
    pending_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When it last fired, and at which price; see `State`.
    fired_at: Mapped[datetime | None] = mapped_column("told_at", UtcDateTime)
    fired_price: Mapped[int | None] = mapped_column("told_price", BigId)
    out_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The start of the last record of the product's history that was looked at.
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When to look again though nothing changes; null: not before the next change.
    check_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    version: Mapped[int] = mapped_column(BigId)

    __table_args__ = (UniqueConstraint("rule_id", "product_id"), TABLE_OPTIONS)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict


class ChangedProduct(Base):
    """The outbox: a product under a rule whose prices or stock changed, until the notifier has looked at it.

    The transaction that records the change writes the row.
    """

    __tablename__ = "alert_outbox"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # No foreign key: it would lock the product's row. A row of a deleted product is dropped when it is read.
    product_id: Mapped[int] = mapped_column(BigId)
    # Who looks at it, and until when; null: nobody.
    claim_token: Mapped[str | None] = mapped_column(exact_text(32))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Null: an older version noted it.
    noted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index(None, "claim_token"), TABLE_OPTIONS)


class Event(Base):
    """What a rule told, once for each cause."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    # Such as price.threshold.
    type: Mapped[str] = mapped_column(exact_text(32))
    # No foreign keys: events outlive their rules and products.
    rule_id: Mapped[int | None] = mapped_column(BigId)
    product_id: Mapped[int | None] = mapped_column(BigId, index=True)
    # Rule, product and the change that caused it.
    cause: Mapped[str] = mapped_column(exact_text(100))
    # The JSON of a webhook's `data`.
    data: Mapped[str] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    __table_args__ = (UniqueConstraint("cause"), Index(None, "type", "id"), TABLE_OPTIONS)


class Delivery(Base):
    """An event on its way to a channel."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[int] = mapped_column(BigId, ForeignKey("events.id", ondelete="CASCADE"))
    channel_id: Mapped[int] = mapped_column(BigId, ForeignKey("channels.id", ondelete="CASCADE"))
    rule_id: Mapped[int | None] = mapped_column(BigId, index=True)
    # The `webhook-id`, the same on every try.
    message_id: Mapped[str] = mapped_column(exact_text(64))
    # pending, held (quiet hours), delivered, digested (told in a digest), failed or dropped.
    status: Mapped[str] = mapped_column(exact_text(16))
    attempts: Mapped[int]
    # Null: no more tries.
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claim_token: Mapped[str | None] = mapped_column(exact_text(32), index=True)
    last_status: Mapped[int | None]
    # The class of the last error, never what a receiver answered.
    last_error: Mapped[str | None] = mapped_column(String(ERROR_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("message_id"),
        UniqueConstraint("event_id", "channel_id"),
        Index(None, "status", "next_try_at"),
        Index(None, "channel_id", "id"),
        Index(None, "channel_id", "status", "next_try_at"),
        Index(None, "channel_id", "delivered_at"),
        TABLE_OPTIONS,
    )
