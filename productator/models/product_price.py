"""What lists show of each product's prices, kept beside the history: one row a product."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text

DAY_LOWS_LENGTH = 600


class ProductPrice(Base):
    """Written in the transaction that changes a product's lowest price, and once a day.

    A product has no row until its first price, and for minutes after the upgrade that brings this table.
    """

    __tablename__ = "product_prices"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    # Of offers in stock; null while there is none.
    lowest_price: Mapped[int | None] = mapped_column(BigId)
    # In permille, from the first known of the days to now.
    change_permille: Mapped[int | None] = mapped_column(BigId)
    # Whether no day was cheaper, and one was dearer.
    is_lowest: Mapped[bool] = mapped_column(default=False, server_default=text("0"))
    # The days since 1970 (UTC) until the last of `day_lows`.
    day: Mapped[int]
    # The lowest price of each day, oldest first, with commas between them; nothing: nothing was in stock.
    day_lows: Mapped[str] = mapped_column(exact_text(DAY_LOWS_LENGTH))
    # When the lowest price last became another one; null: it has not since the column was added.
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index(None, "lowest_price"),
        Index(None, "change_permille"),
        Index(None, "changed_at"),
        TABLE_OPTIONS,
    )
