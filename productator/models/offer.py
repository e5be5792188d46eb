"""Offers: external ones, which the refresher keeps fresh, and own ones, created through the API."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import REMOTE_ID_LENGTH


class Offer(Base):
    __tablename__ = "offers"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    product_id: Mapped[int] = mapped_column(BigId, ForeignKey("products.id", ondelete="CASCADE"), index=True)
    # The Offers service's id, unique within the product; null: an own offer.
    remote_id: Mapped[str | None] = mapped_column(exact_text(REMOTE_ID_LENGTH))
    price: Mapped[int] = mapped_column(BigId, index=True)
    items_in_stock: Mapped[int] = mapped_column(BigId)
    version: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        # Not in the other order: MySQL 9.7 would use this index for the foreign key, and it does not check
        # rows with a null in any column of that index. `remote_id` is null in every own offer.
        UniqueConstraint("remote_id", "product_id"),
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("items_in_stock >= 0", name="stock_not_negative"),
        TABLE_OPTIONS,
    )
    # An UPDATE or DELETE names the version that was read, and an UPDATE raises it.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict
