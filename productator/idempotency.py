"""Answers kept for repeated requests, in the transaction of their effect: both are or neither is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from productator.database.failures import is_lock_timeout
from productator.errors import KeyInUse, KeyReused
from productator.models import IdempotencyKey

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Keyed:
    """A request that names a key: where the key counts, and a digest of what is asked."""

    scope: str
    fingerprint: str


@dataclass(frozen=True)
class KeptAnswer:
    status: int
    # JSON of the headers to repeat.
    headers: str
    body: str


def find(connection: Connection, request: Keyed, *, now: datetime) -> KeptAnswer | None:
    """The answer this request had; raises KeyReused when the key served another one."""
    row = connection.execute(
        select(
            IdempotencyKey.fingerprint, IdempotencyKey.status, IdempotencyKey.headers, IdempotencyKey.body
        ).where(IdempotencyKey.scope == request.scope, IdempotencyKey.created_at > now - KEPT_FOR)
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != request.fingerprint:
        raise KeyReused
    return KeptAnswer(row.status, row.headers, row.body)


def begin(session: Session, request: Keyed, *, now: datetime) -> bool:
    """Takes the key for this transaction; False: somebody else took it, and has finished.

    Raises KeyInUse when the other has not finished for as long as the database waits for locks.
    """
    expired = (IdempotencyKey.scope == request.scope, IdempotencyKey.created_at <= now - KEPT_FOR)
    values = {"scope": request.scope, "fingerprint": request.fingerprint, "created_at": now}
    try:
        session.execute(delete(IdempotencyKey).where(*expired))
        # Whoever comes second waits here until the first has committed or is gone.
        session.execute(insert(IdempotencyKey).values(status=0, headers="", body="", **values))
    except IntegrityError:
        return False
    except DBAPIError as error:
        if is_lock_timeout(error):
            raise KeyInUse from error
        raise
    return True


def keep(session: Session, request: Keyed, answer: KeptAnswer) -> None:
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.scope == request.scope)
        .values(status=answer.status, headers=answer.headers, body=answer.body)
    )


def prune(session: Session, *, now: datetime, most: int) -> int:
    """Deletes up to `most` keys that have expired; returns how many."""
    expired = select(IdempotencyKey.scope).where(IdempotencyKey.created_at <= now - KEPT_FOR).limit(most)
    scopes = session.scalars(expired).all()
    if scopes:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope.in_(scopes)))
    return len(scopes)
