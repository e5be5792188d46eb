"""The access token of the Offers service, which all processes of the installation share."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import UtcDateTime, exact_text


class ServiceToken(Base):
    __tablename__ = "service_tokens"

    # A digest of address and refresh token: another service or owner never gets this token.
    identity: Mapped[str] = mapped_column(exact_text(64), primary_key=True)
    access_token: Mapped[str | None] = mapped_column(Text)
    obtained_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Null: the token does not expire (generation 1).
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The process that renews the token now, and until when no other one may.
    renewer: Mapped[str | None] = mapped_column(exact_text(32))
    renewer_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # After a refused or failed renewal, no process tries again before this time.
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (TABLE_OPTIONS,)
