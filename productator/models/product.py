"""Products, and for each a row that the refresher rewrites every period."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, validates

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId, UtcDateTime, exact_text
from productator.domain import NAME_LENGTH
from productator.models import search_terms

LAST_ERROR_LENGTH = 500


def _terms_of_the_name(context: DefaultExecutionContext) -> str:
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return search_terms.index_terms(row["name"])


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    description: Mapped[str] = mapped_column(Text)
    # Our UUID for the Offers service; it makes the registration idempotent.
    remote_id: Mapped[str] = mapped_column(exact_text(36))
    version: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    # Null: the registration is pending.
    registered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The name's search terms; only the search reads them. They follow every change of the name.
    words: Mapped[str] = mapped_column(
        exact_text(search_terms.TERMS_LENGTH), default=_terms_of_the_name, server_default="", deferred=True
    )

    __table_args__ = (
        UniqueConstraint("remote_id"),
        # No comparison with '': under MySQL's collation a name of accents or control characters equals it.
        CheckConstraint("length(name) > 0", name="name_given"),
        # An ordinary index on SQLite, where nothing uses it.
        Index(None, "words", mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT"),
        TABLE_OPTIONS,
    )
    # An UPDATE or DELETE names the version that was read, and an UPDATE raises it.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy wants a plain dict

    @validates("name")
    def _update_terms(self, _: str, name: str) -> str:
        self.words = search_terms.index_terms(name)
        return name


class Refresh(Base):
    """When a product is due, and its claim; a table of its own, since products are read far more often."""

    __tablename__ = "refreshes"

    product_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claim_token: Mapped[str | None] = mapped_column(exact_text(32))
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(String(LAST_ERROR_LENGTH))
    # The digest of the answer that gave exactly the stored offers: an equal answer is not parsed again.
    answer_digest: Mapped[str | None] = mapped_column(exact_text(32))
    # Equal to `registered_at IS NULL`: pending and registered products are claimed apart, so that neither
    # delays the other.
    pending: Mapped[bool] = mapped_column(default=True, server_default=text("1"))

    # The number of writes of own offers. Every change of a product's offers writes this row: on a cluster a
    # row lock is valid on one node only, but the cluster refuses one of two concurrent writes of a row.
    own_writes: Mapped[int] = mapped_column(BigId, default=0, server_default=text("0"))
    # A refresh was requested while one was under way: when that one is stored, the next is due at once.
    due_again: Mapped[bool] = mapped_column(default=False, server_default=text("0"))

    __table_args__ = (
        Index(None, "pending", "due_at"),
        CheckConstraint("failures >= 0", name="failures_counted"),
        TABLE_OPTIONS,
    )
