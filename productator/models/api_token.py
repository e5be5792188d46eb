"""The tokens of the API's callers."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import TOKEN_NAME_LENGTH


class ApiToken(Base):
    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(TOKEN_NAME_LENGTH))
    # SHA-256 of the token, which is not stored. The token has 256 random bits, so a slow hash adds nothing.
    token_hash: Mapped[str] = mapped_column(exact_text(64))
    # The first characters of the token, by which people recognise it.
    prefix: Mapped[str] = mapped_column(exact_text(16))
    # Values of `domain.Scope`, separated by spaces.
    scopes: Mapped[str] = mapped_column(exact_text(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Updated at most once a minute: a write for every request would cost more than the request.
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Only noted where reads go to a replica; the last write may be some seconds later.
    wrote_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("token_hash"), TABLE_OPTIONS)
