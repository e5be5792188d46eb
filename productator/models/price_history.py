"""History: every change of every offer, and each product's aggregate from one change to the next."""

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import REMOTE_ID_LENGTH

# Rows in the order of their key: a product's rows of a time are one range. Servers store them so anyway.
_CLUSTERED = TABLE_OPTIONS | {"sqlite_with_rowid": False}


class OfferChange(Base):
    """What an offer became, one row for each change; it outlives the offer, not the product.

    The rows that a transaction writes of a product have one time, and a later transaction has a later time.
    An offer changes once in a transaction, so the key orders its changes and keeps each from being written
    twice.
    """

    __tablename__ = "offer_changes"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    # No foreign key: removed offers have a history, too.
    offer_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    # A `ChangeKind`.
    kind: Mapped[int] = mapped_column(SmallInteger)
    # Null: an own offer.
    remote_id: Mapped[str | None] = mapped_column(exact_text(REMOTE_ID_LENGTH))
    # Null: it was removed.
    price: Mapped[int | None] = mapped_column(BigId)
    items_in_stock: Mapped[int | None] = mapped_column(BigId)

    __table_args__ = (
        Index("ix_offer_changes_offer", "product_id", "offer_id", "changed_at"),
        _CLUSTERED,
    )


class PricePoint(Base):
    """A product's aggregate, in rows that follow each other without gap or overlap.

    A raw row (`resolution_s` is 0) holds until the next row starts, the last one until now. A rolled-up row
    covers [starts_at, starts_at + resolution_s), which begins at a whole hour or day, and the next row starts
    where it ends. Only a product's first row may cover less: the last `covered_s` of that time. Prices are
    those of offers in stock, null while there is none.
    """

    __tablename__ = "price_points"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    resolution_s: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lowest_price: Mapped[int | None] = mapped_column(BigId)
    highest_price: Mapped[int | None] = mapped_column(BigId)
    # In thousandths, rounded half up. Rolled up: the mean of the averages, weighted by time in stock.
    average_price: Mapped[int | None] = mapped_column(BigId)
    # Of all offers, in stock or not. Rolled up: as it was at the end.
    offers: Mapped[int] = mapped_column(BigId)
    items_in_stock: Mapped[int] = mapped_column(BigId)
    # Of rolled-up rows only, since a raw row does not know its end: the mean of the lowest prices, weighted
    # by time in stock, in thousandths; the seconds that are known, and those with anything in stock.
    mean_lowest_price: Mapped[int | None] = mapped_column(BigId)
    covered_s: Mapped[float | None] = mapped_column(Double)
    in_stock_s: Mapped[float | None] = mapped_column(Double)
    # Means of offers and of items over the time that is known, in thousandths.
    mean_offers: Mapped[int | None] = mapped_column(BigId)
    mean_items_in_stock: Mapped[int | None] = mapped_column(BigId)
    # Of rolled-up rows only: whether the lowest price held without a break from the start until stock ran
    # out, if it did. Null: an older version wrote the row, and made the mean more than the lowest if not.
    is_unbroken: Mapped[bool | None]

    __table_args__ = (_CLUSTERED,)


class DayFigures(Base):
    """What a finished day's raw points of a product come to, where they are very many.

    It counts only while `last_point_at` is when the last of them starts.
    """

    __tablename__ = "day_figures"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    last_point_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Each as `productator/prices/packing.py` writes it.
    trend: Mapped[str] = mapped_column(Text)
    times: Mapped[bytes] = mapped_column(LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"))
    hours: Mapped[str] = mapped_column(Text)

    __table_args__ = (TABLE_OPTIONS,)


class RetentionProgress(Base):
    """How far a task on old history has come: rolling up, pruning, or keeping the figures of days."""

    __tablename__ = "history_chores"

    name: Mapped[str] = mapped_column(exact_text(32), primary_key=True)
    # History that is older than this is done, for all products.
    done_until: Mapped[datetime] = mapped_column(UtcDateTime)
    # The day that begins there is done for products up to this one.
    product_id: Mapped[int] = mapped_column(BigId)

    __table_args__ = (TABLE_OPTIONS,)
