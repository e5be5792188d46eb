"""Products, and beside each the row that the refresher rewrites every period."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import NAME_LENGTH
from productator.models import search_terms as words

LAST_ERROR_LENGTH = 500


def _words_of_the_name(context: DefaultExecutionContext) -> str:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return words.spelt(row["name"])


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    description: Mapped[str] = mapped_column(Text)
    # Our UUID towards the Offers service: the idempotency key of the registration.
    remote_id: Mapped[str] = mapped_column(exact_text(36))
    version: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # Null: the registration is pending.
    registered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The name's words, for the search alone; follows the name by itself.
    words: Mapped[str] = mapped_column(
        exact_text(words.WORDS_LENGTH), default=_words_of_the_name, server_default="", deferred=True
    )

    __table_args__ = (
        UniqueConstraint("remote_id"),
        # Not a comparison with '': to MySQL's collation a name of accents or control characters equals it.
        CheckConstraint("length(name) > 0", name="name_given"),
        # On SQLite an index like others, which serves nothing there.
        Index(None, "words", mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT"),
        TABLE_OPTIONS,
    )
    # An UPDATE or DELETE of a row names the version it was read with, and an UPDATE raises it.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict

    @validates("name")
    def _keep_words(self, _: str, name: str) -> str:
        self.words = words.spelt(name)
        return name


class Refresh(Base):
    """When a product is due and who holds it; apart from the product, which readers read far more often."""

    __tablename__ = "refreshes"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claim_token: Mapped[str | None] = mapped_column(exact_text(32))
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(LAST_ERROR_LENGTH))
    # Of an answer that told exactly the offers that are stored: the same answer again need not be read.
    answer_digest: Mapped[str | None] = mapped_column(exact_text(32))
    # As `registered_at` tells: new products and the others are claimed apart, lest one holds up the other.
    pending: Mapped[bool] = mapped_column(default=True, server_default=text("1"))

    # Counts writes of own offers: who changes a product's offers writes this row, because on a cluster a lock
    # holds on one node only, but of two writes of a row at once one is refused.
    own_writes: Mapped[int] = mapped_column(BigId, default=0, server_default=text("0"))
    # Somebody asked for a refresh while one was under way: when that is stored the next is due at once.
    due_again: Mapped[bool] = mapped_column(default=False, server_default=text("0"))

    __table_args__ = (
        Index(None, "pending", "due_at"),
        CheckConstraint("failures >= 0", name="failures_counted"),
        TABLE_OPTIONS,
    )
