"""Alerts: rules, channels, events and deliveries; new tables only."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"

_OPTIONS: dict[str, Any] = {
    f"{name}_{key}": value
    for name in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_unicode_ci"}.items()
} | {"sqlite_autoincrement": True}
_BIG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def _exact(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    _create_channels()
    _create_rules()
    _create_states()
    op.create_table(
        "alert_outbox",
        _id(),
        sa.Column("product_id", _BIG_ID, nullable=False),
        sa.Column("claim_token", _exact(32), nullable=True),
        sa.Column("claimed_until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_alert_outbox"),
        **_OPTIONS,
    )
    op.create_index("ix_alert_outbox_claim_token", "alert_outbox", ["claim_token"])
    _create_events()
    _create_deliveries()


def _id() -> sa.Column[int]:
    return sa.Column("id", _BIG_ID, nullable=False, autoincrement=True)


def _versioned() -> list[sa.Column[Any]]:
    return [
        sa.Column("version", _BIG_ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    ]


def _create_channels() -> None:
    op.create_table(
        "channels",
        _id(),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("kind", _exact(16), nullable=False),
        sa.Column("address", sa.String(2_000), nullable=False),
        sa.Column("secret", _exact(500), nullable=True),
        sa.Column("old_secret", _exact(500), nullable=True),
        sa.Column("old_secret_until", _TIME, nullable=True),
        sa.Column("disabled_at", _TIME, nullable=True),
        sa.Column("disabled_reason", sa.String(200), nullable=True),
        sa.Column("quiet_from", sa.Integer, nullable=True),
        sa.Column("quiet_until", sa.Integer, nullable=True),
        sa.Column("time_zone", _exact(64), nullable=True),
        sa.Column("last_success_at", _TIME, nullable=True),
        sa.Column("failing_since", _TIME, nullable=True),
        *_versioned(),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        **_OPTIONS,
    )


def _create_rules() -> None:
    op.create_table(
        "alert_rules",
        _id(),
        sa.Column("kind", _exact(16), nullable=False),
        sa.Column("product_id", _BIG_ID, nullable=True),
        sa.Column("q", sa.String(450), nullable=True),
        sa.Column("price", _BIG_ID, nullable=True),
        sa.Column("percent", sa.Double, nullable=True),
        sa.Column("days", sa.Integer, nullable=True),
        sa.Column("cooldown_s", sa.Integer, nullable=False),
        sa.Column("confirm_periods", sa.Integer, nullable=False),
        sa.Column("rearm_percent", sa.Double, nullable=False),
        sa.Column("muted_until", _TIME, nullable=True),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.text("1")),
        sa.Column("counts_from", _TIME, nullable=False),
        *_versioned(),
        sa.PrimaryKeyConstraint("id", name="pk_alert_rules"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_alert_rules_product_id", ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "product_id IS NULL OR q IS NULL", name=op.f("ck_alert_rules_one_choice_of_products")
        ),
        **_OPTIONS,
    )
    op.create_index("ix_alert_rules_product_id", "alert_rules", ["product_id"])
    op.create_table(
        "alert_rule_channels",
        sa.Column("rule_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.Column("channel_id", _BIG_ID, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("rule_id", "channel_id", name="pk_alert_rule_channels"),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["alert_rules.id"], name="fk_alert_rule_channels_rule_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_alert_rule_channels_channel_id", ondelete="CASCADE"
        ),
        **_OPTIONS,
    )
    op.create_index("ix_alert_rule_channels_channel_id", "alert_rule_channels", ["channel_id"])


def _create_states() -> None:
    op.create_table(
        "alert_states",
        _id(),
        sa.Column("rule_id", _BIG_ID, nullable=False),
        sa.Column("product_id", _BIG_ID, nullable=True),
        sa.Column("is_fired", sa.Boolean, nullable=False),
        sa.Column("price_limit", _BIG_ID, nullable=True),
        sa.Column("pending_since", _TIME, nullable=True),
        sa.Column("told_at", _TIME, nullable=True),
        sa.Column("told_price", _BIG_ID, nullable=True),
        sa.Column("out_since", _TIME, nullable=True),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("check_at", _TIME, nullable=True),
        sa.Column("version", _BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alert_states"),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["alert_rules.id"], name="fk_alert_states_rule_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name="fk_alert_states_product_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("rule_id", "product_id", name="uq_alert_states_rule_id_product_id"),
        **_OPTIONS,
    )
    op.create_index("ix_alert_states_product_id", "alert_states", ["product_id"])
    op.create_index("ix_alert_states_check_at", "alert_states", ["check_at"])


def _create_events() -> None:
    op.create_table(
        "events",
        _id(),
        sa.Column("type", _exact(32), nullable=False),
        sa.Column("rule_id", _BIG_ID, nullable=True),
        sa.Column("product_id", _BIG_ID, nullable=True),
        sa.Column("cause", _exact(100), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("cause", name="uq_events_cause"),
        **_OPTIONS,
    )
    op.create_index("ix_events_type_id", "events", ["type", "id"])
    op.create_index("ix_events_product_id", "events", ["product_id"])
    op.create_index("ix_events_created_at", "events", ["created_at"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        _id(),
        sa.Column("event_id", _BIG_ID, nullable=False),
        sa.Column("channel_id", _BIG_ID, nullable=False),
        sa.Column("rule_id", _BIG_ID, nullable=True),
        sa.Column("message_id", _exact(64), nullable=False),
        sa.Column("status", _exact(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", _TIME, nullable=True),
        sa.Column("claim_token", _exact(32), nullable=True),
        sa.Column("last_status", sa.Integer, nullable=True),
        sa.Column("last_error", sa.String(200), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("delivered_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name="fk_deliveries_event_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_deliveries_channel_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("message_id", name="uq_deliveries_message_id"),
        sa.UniqueConstraint("event_id", "channel_id", name="uq_deliveries_event_id_channel_id"),
        **_OPTIONS,
    )
    op.create_index("ix_deliveries_status_next_try_at", "deliveries", ["status", "next_try_at"])
    op.create_index("ix_deliveries_channel_id_id", "deliveries", ["channel_id", "id"])
    for column in ("rule_id", "claim_token", "created_at"):
        op.create_index(f"ix_deliveries_{column}", "deliveries", [column])
