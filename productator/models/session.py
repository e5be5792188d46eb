"""The sessions of people who signed in to the pages with a token."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text


class SignInSession(Base):
    __tablename__ = "sessions"

    # SHA-256 of the id in the cookie, which is not stored.
    id_hash: Mapped[str] = mapped_column(exact_text(64), primary_key=True)
    # Null: signed in with the admin token of the settings.
    token_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("api_tokens.id", ondelete="CASCADE"))
    # Binds the session to the admin token of the settings: only who has the cookie can compute it, so that a
    # copy of the database helps nobody to guess the token.
    admin_proof: Mapped[str | None] = mapped_column(exact_text(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # Updated at most once a minute.
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (TABLE_OPTIONS,)
