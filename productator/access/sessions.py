"""Sessions of people who signed in with a token: open, find, note their use, end.

The token is looked up with the session each time, so that revoking it ends the session.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from productator.access.api_tokens import digest
from productator.database.prepared import Prepared
from productator.models import ApiToken, SignInSession

IDLE_FOR = timedelta(hours=12)
VALID_FOR = timedelta(days=7)
USE_RECORDED_EVERY = timedelta(minutes=1)
_RANDOM_BYTES = 32


class OpenSession(NamedTuple):
    # None: signed in with the admin token of the settings.
    token_id: int | None
    token_name: str | None
    scopes: str | None
    admin_proof: str | None
    last_seen_at: datetime


_OPEN_SESSION = Prepared(
    select(
        SignInSession.token_id,
        ApiToken.name,
        ApiToken.scopes,
        SignInSession.admin_proof,
        SignInSession.last_seen_at,
    )
    .outerjoin(ApiToken, ApiToken.id == SignInSession.token_id)
    .where(
        SignInSession.id_hash == bindparam("id_hash"),
        SignInSession.created_at > bindparam("created_after"),
        SignInSession.last_seen_at > bindparam("seen_after"),
        or_(
            SignInSession.token_id.is_(None),
            and_(
                ApiToken.revoked_at.is_(None),
                or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > bindparam("now")),
            ),
        ),
    )
)


def start(session: Session, *, token_id: int | None, admin: str | None, now: datetime) -> str:
    """Starts the session of a token, or of the admin token with this digest; returns the session's secret id.

    Nobody can read the id again later. What has expired is deleted on the way.
    """
    session.execute(delete(SignInSession).where(SignInSession.created_at <= now - VALID_FOR))
    session_id = secrets.token_urlsafe(_RANDOM_BYTES)
    session.add(
        SignInSession(
            id_hash=digest(session_id),
            token_id=token_id,
            admin_proof=None if admin is None else _proof(session_id, admin),
            created_at=now,
            last_seen_at=now,
        )
    )
    return session_id


def find(connection: Connection, session_id: str, *, admin: str | None, now: datetime) -> OpenSession | None:
    """The session with this id, if it and its token are valid now; `admin` is the admin token's digest."""
    times = {"created_after": now - VALID_FOR, "seen_after": now - IDLE_FOR, "now": now}
    rows = _OPEN_SESSION.rows(connection, {"id_hash": digest(session_id)} | times)
    if not rows:
        return None
    found = OpenSession._make(rows[0])
    if found.token_id is None:
        is_admins = bool(admin and found.admin_proof)
        if not (is_admins and hmac.compare_digest(_proof(session_id, str(admin)), str(found.admin_proof))):
            return None
    return found


def is_use_due(found: OpenSession, *, now: datetime) -> bool:
    return abs(now - found.last_seen_at) >= USE_RECORDED_EVERY


def record_use(connection: Connection, session_id: str, *, now: datetime) -> None:
    connection.execute(
        update(SignInSession).where(SignInSession.id_hash == digest(session_id)).values(last_seen_at=now)
    )


def end(session: Session, session_id: str) -> None:
    session.execute(delete(SignInSession).where(SignInSession.id_hash == digest(session_id)))


def _proof(session_id: str, admin: str) -> str:
    return hmac.new(session_id.encode(), admin.encode(), "sha256").hexdigest()
