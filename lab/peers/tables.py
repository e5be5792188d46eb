"""The tables as SQLAlchemy's users commonly map them, and the JSON as properties."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STALE_AFTER_S = 90
_TIME = DATETIME(fsp=6)


def utc_now() -> datetime:
    return datetime.utcnow()  # noqa: DTZ003 - as the drivers read times


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    remote_id: Mapped[str] = mapped_column(String(36), default=lambda: str(uuid4()))
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(_TIME, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(_TIME, default=utc_now)
    registered_at: Mapped[datetime | None] = mapped_column(_TIME)

    @property
    def registration(self) -> str:
        return "registered" if self.registered_at else "pending"


class Refresh(Base):
    __tablename__ = "refreshes"

    product_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("products.id"), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(_TIME, default=utc_now)
    refreshed_at: Mapped[datetime | None] = mapped_column(_TIME)
    failures: Mapped[int] = mapped_column(default=0)

    @property
    def stale(self) -> bool:
        return self.refreshed_at is None or (utc_now() - self.refreshed_at).total_seconds() > STALE_AFTER_S


class Offer(Base):
    __tablename__ = "offers"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    product_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("products.id"))
    remote_id: Mapped[str | None] = mapped_column(String(64))
    price: Mapped[int] = mapped_column(BigInteger)
    items_in_stock: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(_TIME, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(_TIME, default=utc_now)

    @property
    def source(self) -> str:
        return "own" if self.remote_id is None else "external"

    @property
    def external_id(self) -> str | None:
        return self.remote_id

    @property
    def currency(self) -> None:
        return None
