"""The rows of idempotency keys: a key and its answer are stored in the transaction of the effect.

It knows no HTTP: `api/conventions/idempotency.py` reads the header and replays answers.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, delete, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from productator.database.failures import is_row_locked
from productator.database.prepared import Prepared, insert_into
from productator.errors import KeyInUse, KeyReused
from productator.models import IdempotencyKey

STORED_FOR = timedelta(hours=24)
# Of a body in one row. A statement with it stays below one MiB, the smallest max_allowed_packet in use, even
# if each character takes four bytes.
PIECE_LENGTH = 200_000

_KEYS = cast("Table", IdempotencyKey.__table__)
_SCOPE = _KEYS.c.scope == bindparam("of_scope", type_=_KEYS.c.scope.type)
_EXPIRED_BEFORE = bindparam("expired_before", type_=_KEYS.c.created_at.type)
_FOUND = Prepared(
    select(_KEYS.c.fingerprint, _KEYS.c.status, _KEYS.c.headers, _KEYS.c.body).where(
        _SCOPE, _KEYS.c.created_at > _EXPIRED_BEFORE
    )
)
_PIECE = Prepared(select(_KEYS.c.body).where(_SCOPE))
_DELETE_EXPIRED = Prepared(delete(_KEYS).where(_SCOPE, _KEYS.c.created_at <= _EXPIRED_BEFORE))
_DELETE = Prepared(delete(_KEYS).where(_SCOPE))
_INSERT = insert_into(_KEYS, "scope", "fingerprint", "status", "headers", "body", "created_at")
_UPDATE = Prepared(
    update(_KEYS).where(_SCOPE).values({name: bindparam(name) for name in ("status", "headers", "body")})
)


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
    rows = _FOUND.rows(connection, {"of_scope": request.scope, "expired_before": now - STORED_FOR})
    if not rows:
        return None
    ((fingerprint, status, headers, first),) = rows
    if fingerprint != request.fingerprint:
        raise KeyReused
    body = _whole_body(connection, request.scope, first)
    return None if body is None else StoredAnswer(status, headers, body)


def _whole_body(connection: Connection, scope: str, first: str) -> str | None:
    """The body from the row of the key and those that continue it; None: it is expiring at this moment."""
    pieces = [first]
    # Bodies that older versions stored are whole, and may be longer.
    while len(pieces[-1]) == PIECE_LENGTH:
        found = _PIECE.rows(connection, {"of_scope": _piece_scope(scope, len(pieces))})
        if not found:
            return None
        ((piece,),) = found
        pieces.append(piece)
    return "".join(pieces)


def _piece_scope(scope: str, number: int) -> str:
    return hashlib.sha256(f"{scope}/{number}".encode()).hexdigest()


def take_key(session: Session, request: KeyedRequest, *, now: datetime) -> bool:
    """Takes the key for this transaction; False: another request took it, and has committed.

    Raises KeyInUse when the other request does not finish within the database's lock timeout.
    """
    connection = session.connection()
    try:
        _DELETE_EXPIRED.run(connection, {"of_scope": request.scope, "expired_before": now - STORED_FOR})
        # A second request waits here until the first one has committed or rolled back.
        _INSERT.run(connection, _row(request.scope, fingerprint=request.fingerprint, created_at=now))
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
    connection = session.connection()
    stored = {"status": answer.status, "headers": answer.headers, "body": first}
    _UPDATE.run(connection, {"of_scope": request.scope} | stored)
    for number, piece in enumerate(others, 1):
        scope = _piece_scope(request.scope, number)
        # The pieces of an expired answer may not have been pruned.
        _DELETE.run(connection, {"of_scope": scope})
        _INSERT.run(connection, _row(scope, body=piece, created_at=now))


def store_filler(session: Session, scope: str, *, size: int, now: datetime) -> None:
    """Stores an expired key of this size, which shows whether the database can store anything."""
    _INSERT.run(session.connection(), _row(scope, body=size * " ", created_at=now - STORED_FOR))


def delete_filler(session: Session, scope: str) -> None:
    _DELETE.run(session.connection(), {"of_scope": scope})


def _row(scope: str, *, fingerprint: str = "", body: str = "", created_at: datetime) -> dict[str, Any]:
    """The columns of a row, without an answer that a request can get."""
    return {
        "scope": scope,
        "fingerprint": fingerprint,
        "status": 0,
        "headers": "",
        "body": body,
        "created_at": created_at,
    }


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
