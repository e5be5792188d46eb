"""Secrets that all programs on one database share and nobody has to configure."""

from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import exact_text


class InstallationKey(Base):
    __tablename__ = "installation_keys"

    # What the key is for.
    name: Mapped[str] = mapped_column(exact_text(32), primary_key=True)
    # 256 random bits in hexadecimal digits.
    secret: Mapped[str] = mapped_column(exact_text(64))

    __table_args__ = (TABLE_OPTIONS,)
