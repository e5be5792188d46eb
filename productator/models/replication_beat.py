"""A number that is counted up, so that the API can measure how far a replica of the database is behind."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from productator.database.base import TABLE_OPTIONS, Base
from productator.database.column_types import BigId


class ReplicationBeat(Base):
    """One row; `productator.database.replica` counts it up on the primary and reads it on the replica."""

    __tablename__ = "replication_beats"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (TABLE_OPTIONS,)
