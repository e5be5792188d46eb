"""An import that can be killed at any point and run again: each record of a file becomes one product.

A product's remote id is derived from the file's contents and the record's place in it, so the database itself
knows which records it has. There is no other state to lose.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedIOBase
from itertools import islice
from uuid import UUID, uuid5

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from productator.catalogue import products
from productator.database.transactions import run_transaction
from productator.domain import NewProduct, utc_now
from productator.transfer.records import Record

_NAMESPACE = UUID("5f1c8a52-6f0e-4c1e-9f8e-0f6d3c1b7a94")
_RECORDS_A_TRANSACTION = 500
_ATTEMPTS = 6


def digest(stream: BufferedIOBase) -> str:
    """Identifies the contents of a file."""
    stream.seek(0)
    return hashlib.file_digest(stream, "sha256").hexdigest()


def import_records(
    sessions: sessionmaker[Session],
    records: Iterable[Record],
    *,
    file_digest: str,
    on_commit: Callable[[], None],
) -> tuple[int, int]:
    """Creates a product for every record of a file, in many transactions.

    Returns how many products it created, and how many it found.
    """
    created = found = 0
    for batch in _batches(records):
        added = _store(sessions, {_remote_id(file_digest, record): record.product for record in batch})
        created, found = created + added, found + len(batch) - added
        on_commit()
    return created, found


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _RECORDS_A_TRANSACTION)):
        yield batch


def _remote_id(file_digest: str, record: Record) -> str:
    # Several items of an array may share a line.
    place = f"{record.line}.{record.item}" if record.item else f"{record.line}"
    return str(uuid5(_NAMESPACE, f"{file_digest}:{place}"))


def _store(sessions: sessionmaker[Session], by_remote_id: Mapping[str, NewProduct]) -> int:
    for _ in range(_ATTEMPTS - 1):
        try:
            return _store_once(sessions, by_remote_id)
        except IntegrityError:
            continue  # another run with the same file has stored some of them in the meantime
    return _store_once(sessions, by_remote_id)


def _store_once(sessions: sessionmaker[Session], by_remote_id: Mapping[str, NewProduct]) -> int:
    return run_transaction(
        sessions, lambda session: products.add_missing(session, by_remote_id, now=utc_now())
    )
