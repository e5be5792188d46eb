"""Answers stored for callers that repeat a request because they did not receive the first answer."""

from datetime import datetime

from sqlalchemy import SmallInteger, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import UtcDateTime, exact_text


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    # A digest of caller, method, path and key.
    scope: Mapped[str] = mapped_column(exact_text(64), primary_key=True)
    # A digest of the request: the key must not serve another query or body.
    fingerprint: Mapped[str] = mapped_column(exact_text(64))
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    __table_args__ = (TABLE_OPTIONS,)
