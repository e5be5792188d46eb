"""The tokens of the API's callers: create, find by secret, list and revoke."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy import Connection, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from productator.database.keyset import Order, Page, Position, read_page
from productator.database.prepared import Prepared
from productator.domain import Scope
from productator.errors import TokenNotFound
from productator.models import ApiToken

_START = "pt_"
_RANDOM_BYTES = 32
_PREFIX_LENGTH = 8
State = Literal["active", "expired", "revoked"]
USE_RECORDED_EVERY = timedelta(minutes=1)
WRITE_RECORDED_EVERY = timedelta(seconds=10)


class ValidToken(NamedTuple):
    id: int
    scopes: str
    last_used_at: datetime | None
    wrote_at: datetime | None


class ListedToken(NamedTuple):
    """What anybody may know of a token who manages tokens."""

    id: int
    name: str
    prefix: str
    scopes: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


_TOKENS = select(*(getattr(ApiToken, name) for name in ListedToken._fields))
BY_ID = Order(ApiToken.id, ApiToken.id)
_VALID_TOKEN = Prepared(
    select(*(getattr(ApiToken, name) for name in ValidToken._fields)).where(
        ApiToken.token_hash == bindparam("token_hash"),
        ApiToken.revoked_at.is_(None),
        or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > bindparam("now")),
    )
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
    """Creates a token; returns it with its secret, which nobody can read again later."""
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
    """Creates an admin token in a database that never had any token; None: it had one."""
    if session.scalar(select(func.count()).select_from(ApiToken)):
        return None
    # Of several processes that find no token, the id lets one create it; the others get an IntegrityError.
    _, secret = create(session, name="first start", scopes=[Scope.ADMIN], now=now, token_id=1)
    return secret


def find_valid(connection: Connection, secret: str, *, now: datetime) -> ValidToken | None:
    """The token with this secret, if it is valid now.

    The lookup uses the digest, which a guesser cannot approach byte by byte: its duration reveals nothing.
    """
    rows = _VALID_TOKEN.rows(connection, {"token_hash": digest(secret), "now": now})
    return ValidToken._make(rows[0]) if rows else None


def is_use_due(token: ValidToken, *, now: datetime) -> bool:
    """Whether the last recorded use is old enough to record this one, or a clock was ahead then."""
    return token.last_used_at is None or abs(now - token.last_used_at) >= USE_RECORDED_EVERY


def record_use(connection: Connection, token_id: int, *, now: datetime) -> None:
    """Updates the last use in one statement; of several at once, only the first changes anything."""
    is_due = or_(
        ApiToken.last_used_at.is_(None),
        ApiToken.last_used_at <= now - USE_RECORDED_EVERY,
        ApiToken.last_used_at >= now + USE_RECORDED_EVERY,
    )
    statement = update(ApiToken).where(ApiToken.id == token_id, is_due)
    connection.execute(statement.values(last_used_at=now))


def is_write_due(token: ValidToken, *, now: datetime) -> bool:
    """Whether the last recorded write is old enough to record this one, or a clock was ahead then."""
    return token.wrote_at is None or abs(now - token.wrote_at) >= WRITE_RECORDED_EVERY


def record_write(connection: Connection, token_id: int, *, now: datetime) -> None:
    """Before the write. A later time of another machine stays."""
    is_later = or_(
        ApiToken.wrote_at.is_(None), ApiToken.wrote_at < now, ApiToken.wrote_at >= now + WRITE_RECORDED_EVERY
    )
    connection.execute(update(ApiToken).where(ApiToken.id == token_id, is_later).values(wrote_at=now))


def state(token: ApiToken | ListedToken, *, now: datetime) -> State:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.expires_at is None or token.expires_at > now else "expired"


def list_all(session: Session) -> Sequence[ApiToken]:
    """All tokens ever created, oldest first."""
    return session.scalars(select(ApiToken).order_by(ApiToken.id)).all()


def page(connection: Connection, *, limit: int, position: Position | None) -> Page[ListedToken]:
    return read_page(connection, _TOKENS, BY_ID, limit=limit, position=position).map(ListedToken._make)


def get(connection: Connection, token_id: int) -> ListedToken:
    row = connection.execute(_TOKENS.where(ApiToken.id == token_id)).one_or_none()
    if row is None:
        raise TokenNotFound(token_id)
    return ListedToken._make(row)


def revoke(session: Session, token_id: int, *, now: datetime) -> ApiToken:
    """Revokes the token from the next request on; a revoked token keeps its time of revocation."""
    token = session.get(ApiToken, token_id, with_for_update=True)
    if token is None:
        raise TokenNotFound(token_id)
    if token.revoked_at is None:
        token.revoked_at = now
    return token


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
