"""Imports that may be killed anywhere and started again: each record of a file becomes one product.

A product's remote id is made of the file's contents and the record's line, so that the database itself knows
which records it has; there is no other state to lose.
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
from productator.transfer.reading import Record

_OURS = UUID("5f1c8a52-6f0e-4c1e-9f8e-0f6d3c1b7a94")
_RECORDS_A_TRANSACTION = 500
_ATTEMPTS = 6


def digest(stream: BufferedIOBase) -> str:
    """Names the contents of a file."""
    stream.seek(0)
    return hashlib.file_digest(stream, "sha256").hexdigest()


def import_records(
    sessions: sessionmaker[Session], records: Iterable[Record], *, of: str, done: Callable[[], None]
) -> tuple[int, int]:
    """Creates a product for every record of the file `of`, and calls `done` after each transaction.

    Returns how many it created, and how many were there.
    """
    created = there = 0
    for batch in _batches(records):
        drafts = {_remote_id(of, record.line): record.draft for record in batch}
        added = _store(sessions, drafts)
        created, there = created + added, there + len(batch) - added
        done()
    return created, there


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _RECORDS_A_TRANSACTION)):
        yield batch


def _remote_id(file: str, line: int) -> str:
    return str(uuid5(_OURS, f"{file}:{line}"))


def _store(sessions: sessionmaker[Session], drafts: Mapping[str, NewProduct]) -> int:
    for _ in range(_ATTEMPTS - 1):
        try:
            return _store_once(sessions, drafts)
        except IntegrityError:
            continue  # another run of the same file has stored some of them since we looked
    return _store_once(sessions, drafts)


def _store_once(sessions: sessionmaker[Session], drafts: Mapping[str, NewProduct]) -> int:
    return run_transaction(sessions, lambda session: products.add_missing(session, drafts, now=utc_now()))
