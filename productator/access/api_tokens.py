"""Tokens of the API's callers: made, found by what is presented, listed and revoked."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from productator.domain import Scope
from productator.errors import TokenNotFound
from productator.models import ApiToken

_START = "pt_"
_RANDOM_BYTES = 32
_PREFIX_LENGTH = 8
USE_IS_NOTED_EVERY = timedelta(minutes=1)

_GOOD = select(ApiToken.id, ApiToken.scopes, ApiToken.last_used_at).where(
    ApiToken.token_hash == bindparam("token_hash"),
    ApiToken.revoked_at.is_(None),
    or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > bindparam("now")),
)


def create(
    session: Session,
    *,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None = None,
    now: datetime,
    token_id: int | None = None,
) -> tuple[ApiToken, str]:
    """A new token, and what its owner has to present: that is told here and never again."""
    secret = _START + secrets.token_urlsafe(_RANDOM_BYTES)
    granted = set(scopes)
    token = ApiToken(
        id=token_id,
        name=name,
        token_hash=digest(secret),
        prefix=secret[:_PREFIX_LENGTH],
        scopes=" ".join(scope for scope in Scope if scope in granted),
        created_at=now,
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return token, secret


def create_first(session: Session, *, now: datetime) -> str | None:
    """An admin token for a database that has never had any token; None: it has had one."""
    if session.scalar(select(func.count()).select_from(ApiToken)):
        return None
    # Of all who start at once and find no token, the id lets one through; the others get an IntegrityError.
    _, secret = create(session, name="first start", scopes=[Scope.ADMIN], now=now, token_id=1)
    return secret


def find(connection: Connection, secret: str, *, now: datetime) -> Row[int, str, datetime | None] | None:
    """The token that was presented, if it is good now: its id, scopes and last use.

    It is looked up by its digest, which nobody can approach byte by byte: how long that takes tells nothing.
    """
    return connection.execute(_GOOD, {"token_hash": digest(secret), "now": now}).one_or_none()


def is_use_to_note(token: Row[int, str, datetime | None], *, now: datetime) -> bool:
    return token.last_used_at is None or token.last_used_at <= now - USE_IS_NOTED_EVERY


def note_use(connection: Connection, token_id: int, *, now: datetime) -> None:
    """One statement; of several at once, those that come second find nothing to do."""
    unnoted = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USE_IS_NOTED_EVERY)
    statement = update(ApiToken).where(ApiToken.id == token_id, unnoted)
    connection.execute(statement.values(last_used_at=now))


def state(token: ApiToken, *, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.expires_at is None or token.expires_at > now else "expired"


def listed(session: Session) -> Sequence[ApiToken]:
    """All tokens ever made, in the order of their making."""
    return session.scalars(select(ApiToken).order_by(ApiToken.id)).all()


def revoke(session: Session, token_id: int, *, now: datetime) -> ApiToken:
    """Counts from the next request on; a token that was revoked before stays as it is."""
    token = session.get(ApiToken, token_id, with_for_update=True)
    if token is None:
        raise TokenNotFound(token_id)
    if token.revoked_at is None:
        token.revoked_at = now
    return token


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
