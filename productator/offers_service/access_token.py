"""The access token that all processes share: one of them renews it, the others wait for it.

A process with a token of its own would be locked out after a restart: generation 2 issues no token while the
last one is valid, and generation 1 creates a new identity with every token.
"""

import hashlib
import time
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from productator.database.failures import is_transient
from productator.domain import utc_now
from productator.errors import AnotherTokenIsValid, OffersServiceError, OffersUnavailable, TokenRejected
from productator.models import ServiceToken
from productator.offers_service import contract
from productator.offers_service.contract import AccessToken
from productator.offers_service.http_call import HttpCall
from productator.offers_service.token_row import RETRY_PAUSE, TokenRow, latest_end

# A younger token that is rejected is not at fault: renewing it would start a storm of renewals.
MIN_AGE = timedelta(seconds=10)
# How much longer a token is used that the service still accepts after its expiry.
_PROLONGED_BY = timedelta(seconds=1)
_POLL_S = 0.1


class TokenSource(Protocol):
    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        """A token that is not the `rejected` one; raises OffersServiceError if there is none."""


class SharedTokenSource:
    """Reads the stored token, and renews it when it has expired or was rejected. For one thread."""

    def __init__(
        self,
        http: HttpCall,
        sessions: sessionmaker[Session],
        *,
        address: str,
        refresh_token: str | None,
        timeout_s: float,
    ) -> None:
        self._http = http
        self._refresh_token = refresh_token
        # A renewal is one call; a process that holds the lease for longer was killed.
        self._patience_s = timeout_s + 5
        self._row = TokenRow(
            sessions, _identity(address, refresh_token), lease=timedelta(seconds=self._patience_s)
        )

    def obtain(self, *, rejected: str | None = None) -> AccessToken:
        """A token that is valid as far as we know, and is not the `rejected` one.

        Raises OffersUnavailable if there is none now, OffersProtocolError if someone must look.
        """
        deadline = time.monotonic() + self._patience_s
        while time.monotonic() < deadline:
            row = self._row.read()
            now = utc_now()
            stored = _token_in(row)
            if stored is not None and _is_usable(stored, rejected, now=now):
                return stored
            if row is not None:
                _check_may_renew(row, rejected, now=now)
            if self._row.take_lease(seen=stored, now=now):
                return self._renew(stored, rejected)
            time.sleep(_POLL_S)
        raise OffersUnavailable("Another process is renewing the access token.")

    def _renew(self, stored: AccessToken | None, rejected: str | None) -> AccessToken:
        now = utc_now()
        try:
            answer = self._http.send(contract.authentication(), token=self._refresh_token)
            token = contract.access_token(answer, refreshing=self._refresh_token is not None, now=now)
        except OffersServiceError as error:
            if isinstance(error, AnotherTokenIsValid) and stored is not None and stored.value != rejected:
                # The valid token is the stored one: our clock is ahead of the service's, or the expiry was
                # rounded. There is no pause: if the service rejects it soon, it can be renewed at once.
                until = utc_now() + _PROLONGED_BY
                self._row.prolong(until=until)
                return AccessToken(stored.value, until)
            self._row.give_up(retry_at=utc_now() + RETRY_PAUSE)
            raise
        if not self._store(token, now=now):
            raise OffersUnavailable("The renewal took so long that another process took it over.")
        return token

    def _store(self, token: AccessToken, *, now: datetime) -> bool:
        """Waits for a database that is away: the service issues no other token until this one expires."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return self._row.store(token, now=now)
            except DBAPIError as error:
                if not is_transient(error) or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_S)


class FixedTokenSource:
    """An access token from the settings, which cannot be renewed."""

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


def _check_may_renew(row: ServiceToken, rejected: str | None, *, now: datetime) -> None:
    if row.retry_at is not None and now < row.retry_at <= latest_end(now, RETRY_PAUSE):
        raise OffersUnavailable("The last renewal of the access token failed; waiting before the next.")
    # A moment ahead is another machine's clock; far ahead, the row was written before a clock was set back.
    is_young = row.obtained_at is not None and abs(now - row.obtained_at) < MIN_AGE
    has_expired = row.expires_at is not None and row.expires_at <= now
    if is_young and not has_expired and rejected is not None and row.access_token == rejected:
        # As good as down: without a token the service answers nothing.
        raise TokenRejected("The Offers service rejects a token that it issued a moment ago.")


def _identity(address: str, refresh_token: str | None) -> str:
    """Generation 1 has no refresh token, so an installation has one identity for each address."""
    return hashlib.sha256(f"{address} {refresh_token or ''}".encode()).hexdigest()
