"""The row that holds the shared access token, and the lease on renewing it."""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Update, and_, insert, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from productator.database.transactions import changed_rows, run_transaction
from productator.models import ServiceToken
from productator.offers_service.contract import AccessToken

# How long no process tries again after a failed renewal: no storm, and too short for anybody to notice.
RETRY_PAUSE = timedelta(seconds=10)


class TokenRow:
    """The row of one identity. For one thread: two threads with the same object would share the lease."""

    def __init__(self, sessions: sessionmaker[Session], identity: str, *, lease: timedelta) -> None:
        self._sessions = sessions
        self._identity = identity
        self._lease = lease
        self._me = uuid4().hex

    def read(self) -> ServiceToken | None:
        with self._sessions() as session:
            return session.get(ServiceToken, self._identity)

    def take_lease(self, *, seen: AccessToken | None, now: datetime) -> bool:
        """Whether this process may replace the token it has `seen`; no other may until the lease ends."""
        self._create()
        # After a commit whose answer was lost, the second attempt finds the lease taken by the first.
        is_ours = ServiceToken.renewer == self._me
        statement = (
            update(ServiceToken)
            .where(ServiceToken.identity == self._identity, _is_still(seen))
            .where(or_(is_ours, _is_over(ServiceToken.renewer_until, now, self._lease)))
            .where(_is_over(ServiceToken.retry_at, now, RETRY_PAUSE))
            .values(renewer=self._me, renewer_until=now + self._lease)
        )
        return self._changes_row(statement)

    def store(self, token: AccessToken, *, now: datetime) -> bool:
        """Stores the token for all processes; returns False if the lease was lost meanwhile."""
        has_ended = self._end_lease(
            access_token=token.value, obtained_at=now, expires_at=token.expires_at, retry_at=None
        )
        if has_ended:
            return True
        # After a commit whose answer was lost, the lease has ended and the token is stored.
        row = self.read()
        return row is not None and row.access_token == token.value

    def prolong(self, *, until: datetime) -> None:
        """Lets all processes use the stored token until then."""
        self._end_lease(expires_at=until)

    def give_up(self, *, retry_at: datetime) -> None:
        self._end_lease(retry_at=retry_at)

    def _end_lease(self, **values: object) -> bool:
        statement = (
            update(ServiceToken)
            .where(ServiceToken.identity == self._identity, ServiceToken.renewer == self._me)
            .values(renewer=None, renewer_until=None, **values)
        )
        return self._changes_row(statement)

    def _changes_row(self, statement: Update) -> bool:
        return run_transaction(self._sessions, lambda session: changed_rows(session, statement) == 1)

    def _create(self) -> None:
        if self.read() is not None:
            return
        try:
            with self._sessions.begin() as session:
                session.execute(insert(ServiceToken).values(identity=self._identity))
        except IntegrityError:
            pass  # another process has created it


def latest_end(now: datetime, pause: timedelta) -> datetime:
    """The latest credible end of a pause: a later one was written before a clock was set back.

    Twice the pause, because clocks of machines differ: of two processes that renew at once, one would lose a
    good token.
    """
    return now + 2 * pause


def _is_still(seen: AccessToken | None) -> ColumnElement[bool]:
    if seen is None:
        return ServiceToken.access_token.is_(None)
    # Its expiry as well: another process may just have prolonged it.
    return and_(ServiceToken.access_token == seen.value, ServiceToken.expires_at == seen.expires_at)


def _is_over(
    until: InstrumentedAttribute[datetime | None], now: datetime, pause: timedelta
) -> ColumnElement[bool]:
    return or_(until.is_(None), until <= now, until > latest_end(now, pause))
