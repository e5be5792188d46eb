"""Finds rows of `refreshes` that somebody else keeps locked, so that they hold up no other product.

Our own programs lock rows for milliseconds. But the locks of a client that has vanished from the network stay
until its server notices.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_row_locked
from productator.models import Refresh


class RowsLocked(Exception):
    """Somebody else has locked one of the rows, or another row of one of the products."""

    def __init__(self, error: DBAPIError) -> None:
        super().__init__(str(error.orig))
        self.error = error


@contextmanager
def raising_rows_locked() -> Iterator[None]:
    """Raises RowsLocked if a row is locked: running the same transaction again at once would not help."""
    try:
        yield
    except DBAPIError as error:
        if is_row_locked(error):
            raise RowsLocked(error) from error
        raise


def find(sessions: sessionmaker[Session], product_ids: Sequence[int]) -> set[int]:
    """The products whose rows somebody else has locked; does not wait for any lock."""
    if not product_ids or not _is_any_locked(sessions, product_ids):
        return set()
    if len(product_ids) == 1:
        return set(product_ids)
    middle = len(product_ids) // 2
    return find(sessions, product_ids[:middle]) | find(sessions, product_ids[middle:])


def _is_any_locked(sessions: sessionmaker[Session], product_ids: Sequence[int]) -> bool:
    query = select(Refresh.product_id).where(Refresh.product_id.in_(product_ids))
    try:
        with sessions.begin() as session:
            session.execute(query.with_for_update(nowait=True))
    except DBAPIError as error:
        if not is_row_locked(error):
            raise
        return True
    return False
