"""What the schema says about the programs that may use it."""

from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import exact_text


class SchemaCompatibility(Base):
    """One row, which the migrations write; `productator.database.migrate` reads it."""

    __tablename__ = "schema_compatibility"

    # The revision of the oldest version whose programs may use this schema.
    oldest_revision: Mapped[str] = mapped_column(exact_text(32), primary_key=True)

    __table_args__ = (TABLE_OPTIONS,)
