"""The access token that all processes share: read, renewed by one of them, waited for by the others.

A process that kept its token to itself would be locked out after a restart: generation 2 gives no new token
while the last one is valid, and generation 1 makes a new identity with every token.
"""

import hashlib
import time
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Update, and_, insert, or_, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from productator.database.failures import is_transient
from productator.database.transactions import changed_rows, run_transaction
from productator.domain import utc_now
from productator.errors import AnotherTokenIsValid, OffersServiceError, OffersUnavailable, TokenRejected
from productator.models import ServiceToken
from productator.offers_service import contract
from productator.offers_service.client import OffersClient
from productator.offers_service.contract import AccessToken

# A token that was rejected sooner after its making is not at fault: asking for the next would be a storm.
MIN_AGE = timedelta(seconds=10)
# After a renewal that failed; long enough not to be a storm, short enough not to be noticed.
RETRY_PAUSE = timedelta(seconds=10)
# For how long a token is used that is still valid after its time, before the service is asked for the next.
_LONGER = timedelta(seconds=1)
_POLL_S = 0.1


class SharedToken:
    """Where the token is kept: the row of this identity, and who may renew it.

    For one thread: two with the same object would hold the lease together.
    """

    def __init__(self, sessions: sessionmaker[Session], identity: str, *, lease: timedelta) -> None:
        self._sessions = sessions
        self._identity = identity
        self._lease = lease
        self._me = uuid4().hex

    def read(self) -> ServiceToken | None:
        with self._sessions() as session:
            return session.get(ServiceToken, self._identity)

    def take_lease(self, *, seen: AccessToken | None, now: datetime) -> bool:
        """Whether this process may replace the token it has `seen`; while the lease lasts nobody else may."""
        self._make_row()
        # When the answer to a commit was lost, the second try finds the lease taken: by the first.
        is_ours = ServiceToken.renewer == self._me
        statement = (
            update(ServiceToken)
            .where(ServiceToken.identity == self._identity, _is_still(seen))
            .where(or_(is_ours, _is_over(ServiceToken.renewer_until, now, self._lease)))
            .where(_is_over(ServiceToken.retry_at, now, RETRY_PAUSE))
            .values(renewer=self._me, renewer_until=now + self._lease)
        )
        return self._applies(statement)

    def store(self, token: AccessToken, *, now: datetime) -> bool:
        """Whether the token is everybody's now; not so when the lease was lost meanwhile."""
        has_ended = self._end_lease(
            access_token=token.value, obtained_at=now, expires_at=token.expires_at, retry_at=None
        )
        return has_ended or self._holds(token)

    def prolong(self, *, until: datetime) -> None:
        """The stored token is valid for longer than it seemed: all processes may use it until then."""
        self._end_lease(expires_at=until)

    def give_up(self, *, retry_at: datetime) -> None:
        self._end_lease(retry_at=retry_at)

    def _end_lease(self, **values: object) -> bool:
        statement = (
            update(ServiceToken)
            .where(ServiceToken.identity == self._identity, ServiceToken.renewer == self._me)
            .values(renewer=None, renewer_until=None, **values)
        )
        return self._applies(statement)

    def _holds(self, token: AccessToken) -> bool:
        """So it is after a commit whose answer was lost, though the lease has ended."""
        row = self.read()
        return row is not None and row.access_token == token.value

    def _applies(self, statement: Update) -> bool:
        return run_transaction(self._sessions, lambda session: changed_rows(session, statement) == 1)

    def _make_row(self) -> None:
        if self.read() is not None:
            return
        try:
            with self._sessions.begin() as session:
                session.execute(insert(ServiceToken).values(identity=self._identity))
        except IntegrityError:
            pass  # another process made it in between


class TokenKeeper:
    """Gives the token to use, renewing it when it has to be."""

    def __init__(
        self,
        client: OffersClient,
        sessions: sessionmaker[Session],
        *,
        address: str,
        refresh_token: str | None,
        timeout_s: float,
    ) -> None:
        self._client = client
        self._refresh_token = refresh_token
        # A renewal is one call; whoever holds the lease longer was killed.
        self._patience_s = timeout_s + 5
        self._shared = SharedToken(
            sessions, _identity(address, refresh_token), lease=timedelta(seconds=self._patience_s)
        )

    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        """A token that is valid as far as we know, and is not the `rejected` one.

        Raises OffersUnavailable when there is none now, OffersProtocolError when someone must look.
        """
        deadline = time.monotonic() + self._patience_s
        while time.monotonic() < deadline:
            row = self._shared.read()
            now = utc_now()
            stored = _token_in(row)
            if stored is not None and _is_usable(stored, rejected, now=now):
                return stored
            self._check_may_renew(row, rejected, now=now)
            if self._shared.take_lease(seen=stored, now=now):
                return self._renew(stored, rejected)
            time.sleep(_POLL_S)
        raise OffersUnavailable("Another process is renewing the access token.")

    def _check_may_renew(self, row: ServiceToken | None, rejected: str | None, *, now: datetime) -> None:
        if row is None:
            return
        if row.retry_at is not None and now < row.retry_at <= _furthest(now, RETRY_PAUSE):
            raise OffersUnavailable("The last renewal of the access token failed; waiting before the next.")
        # A moment ahead is by another machine's clock; far ahead, from before a clock was set back.
        is_young = row.obtained_at is not None and abs(now - row.obtained_at) < MIN_AGE
        has_expired = row.expires_at is not None and row.expires_at <= now
        if is_young and not has_expired and rejected is not None and row.access_token == rejected:
            # Not outside its contract, but as good as down: without a token nothing is answered.
            raise TokenRejected("The Offers service rejects a token that it gave a moment ago.")

    def _renew(self, stored: AccessToken | None, rejected: str | None) -> AccessToken:
        now = utc_now()
        try:
            answer = self._client.send(contract.authentication(), token=self._refresh_token)
            token = contract.access_token(answer, refreshing=self._refresh_token is not None, now=now)
        except OffersServiceError as error:
            if isinstance(error, AnotherTokenIsValid) and stored is not None and stored.value != rejected:
                return self._prolong(stored.value)
            self._shared.give_up(retry_at=utc_now() + RETRY_PAUSE)
            raise
        if not self._store(token, now=now):
            raise OffersUnavailable("The renewal took so long that another process took it over.")
        return token

    def _prolong(self, value: str) -> AccessToken:
        """The valid one is the stored one: our clock is ahead of the service's, or its expiry was rounded.

        No pause goes with it: who finds it rejected within that time knows that there can be a new one.
        """
        until = utc_now() + _LONGER
        self._shared.prolong(until=until)
        return AccessToken(value, until)

    def _store(self, token: AccessToken, *, now: datetime) -> bool:
        """Stores it even when the database is away for a while: there is no other until this one expires."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return self._shared.store(token, now=now)
            except DBAPIError as error:
                if not is_transient(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_S)


class GivenToken:
    """An access token from the settings: there is nothing to renew it with."""

    def __init__(self, value: str) -> None:
        self._token = AccessToken(value, None)

    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        if rejected == self._token.value:
            raise TokenRejected("The Offers service does not accept the access token of the settings.")
        return self._token


def _token_in(row: ServiceToken | None) -> AccessToken | None:
    if row is None or row.access_token is None:
        return None
    return AccessToken(row.access_token, row.expires_at)


def _is_usable(token: AccessToken, rejected: str | None, *, now: datetime) -> bool:
    return token.value != rejected and (token.expires_at is None or token.expires_at > now)


def _is_still(seen: AccessToken | None) -> ColumnElement[bool]:
    if seen is None:
        return ServiceToken.access_token.is_(None)
    # Its expiry, too: another process may just have been told that it is valid for longer.
    return and_(ServiceToken.access_token == seen.value, ServiceToken.expires_at == seen.expires_at)


def _is_over(
    until: InstrumentedAttribute[datetime | None], now: datetime, pause: timedelta
) -> ColumnElement[bool]:
    return or_(until.is_(None), until <= now, until > _furthest(now, pause))


def _furthest(now: datetime, pause: timedelta) -> datetime:
    """An end of a pause that lies further ahead was written before a clock was set back.

    Twice the pause, as clocks of machines differ: of two who renew at once, one would lose a good token.
    """
    return now + 2 * pause


def _identity(address: str, refresh_token: str | None) -> str:
    """Generation 1 names nobody, so its one identity of an installation belongs to the address."""
    return hashlib.sha256(f"{address} {refresh_token or ''}".encode()).hexdigest()
