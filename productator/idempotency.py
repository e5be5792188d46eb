"""The rows of idempotency keys: a key and its answer are stored in the transaction of the effect.

It knows no HTTP: `api/conventions/idempotency.py` reads the header and replays answers.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from productator.database.failures import is_row_locked
from productator.errors import KeyInUse, KeyReused
from productator.models import IdempotencyKey

STORED_FOR = timedelta(hours=24)
# Of a body in one row. A statement with it stays below one MiB, the smallest max_allowed_packet in use, even
# if each character takes four bytes.
PIECE_LENGTH = 200_000


@dataclass(frozen=True)
class KeyedRequest:
    """A request with an idempotency key: the scope of the key, and a digest of the request."""

    scope: str
    fingerprint: str


@dataclass(frozen=True)
class StoredAnswer:
    status: int
    # JSON of the headers to repeat.
    headers: str
    body: str


def find_answer(connection: Connection, request: KeyedRequest, *, now: datetime) -> StoredAnswer | None:
    """The stored answer of this request; raises KeyReused when the key served another request."""
    row = connection.execute(
        select(
            IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.headers, IdempotencyKey.body
        ).where(IdempotencyKey.scope == request.scope, IdempotencyKey.created_at > now - STORED_FOR)
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != request.fingerprint:
        raise KeyReused
    body = _whole_body(connection, request.scope, row.body)
    return None if body is None else StoredAnswer(row.status, row.headers, body)


def _whole_body(connection: Connection, scope: str, first: str) -> str | None:
    """The body from the row of the key and those that continue it; None: it is expiring at this moment."""
    pieces = [first]
    # Bodies that older versions stored are whole, and may be longer.
    while len(pieces[-1]) == PIECE_LENGTH:
        query = select(IdempotencyKey.body).where(IdempotencyKey.scope == _piece_scope(scope, len(pieces)))
        piece = connection.scalar(query)
        if piece is None:
            return None
        pieces.append(piece)
    return "".join(pieces)


def _piece_scope(scope: str, number: int) -> str:
    return hashlib.sha256(f"{scope}/{number}".encode()).hexdigest()


def take_key(session: Session, request: KeyedRequest, *, now: datetime) -> bool:
    """Takes the key for this transaction; False: another request took it, and has committed.

    Raises KeyInUse when the other request does not finish within the database's lock timeout.
    """
    expired = (IdempotencyKey.scope == request.scope, IdempotencyKey.created_at <= now - STORED_FOR)
    values = {"scope": request.scope, "fingerprint": request.fingerprint, "created_at": now}
    try:
        session.execute(delete(IdempotencyKey).where(*expired))
        # A second request waits here until the first one has committed or rolled back.
        session.execute(insert(IdempotencyKey).values(status=0, headers="", body="", **values))
    except IntegrityError:
        return False
    except DBAPIError as error:
        # On SQLite somebody may have locked the whole database, which says nothing about the key.
        if is_row_locked(error):
            raise KeyInUse from error
        raise
    return True


def store_answer(session: Session, request: KeyedRequest, answer: StoredAnswer, *, now: datetime) -> None:
    """Stores a long body in several rows; the last piece is shorter than the others, and may be empty."""
    first, *others = (
        answer.body[start : start + PIECE_LENGTH] for start in range(0, len(answer.body) + 1, PIECE_LENGTH)
    )
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.scope == request.scope)
        .values(status=answer.status, headers=answer.headers, body=first)
    )
    for number, piece in enumerate(others, 1):
        scope = _piece_scope(request.scope, number)
        # The pieces of an expired answer may not have been pruned.
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope == scope))
        values = {"scope": scope, "fingerprint": "", "status": 0, "headers": "", "body": piece}
        session.execute(insert(IdempotencyKey).values(created_at=now, **values))


def store_filler(session: Session, scope: str, *, size: int, now: datetime) -> None:
    """Stores an expired key of this size, which shows whether the database can store anything."""
    values = {"scope": scope, "fingerprint": "", "status": 0, "headers": "", "body": size * " "}
    session.execute(insert(IdempotencyKey).values(created_at=now - STORED_FOR, **values))


def delete_filler(session: Session, scope: str) -> None:
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope == scope))


def prune(session: Session, *, now: datetime, most: int) -> int:
    """Deletes up to `most` expired keys, the oldest first; returns how many."""
    expired = (
        select(IdempotencyKey.scope)
        .where(IdempotencyKey.created_at <= now - STORED_FOR)
        # By the index, however many of all keys have expired.
        .order_by(IdempotencyKey.created_at)
        .limit(most)
    )
    # In one order, so that two workers wait for each other instead of deadlocking.
    scopes = sorted(session.scalars(expired))
    if scopes:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope.in_(scopes)))
    return len(scopes)
