"""The token that calls go out with; asked for in a thread, so that calls under way go on meanwhile."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from productator.database.failures import is_transient
from productator.domain import utc_now
from productator.errors import OffersServiceError, OffersUnavailable
from productator.offers_service.contract import AccessToken
from refresher.background import Background

log = logging.getLogger(__name__)

_DATABASE_PAUSE_S = 0.5


class Tokens(Protocol):
    def obtain(self, *, rejected: str | None = None) -> AccessToken: ...


class CurrentToken:
    def __init__(self, tokens: Tokens, *, wake: Callable[[], None]) -> None:
        self._tokens = tokens
        self._renewal: Background[AccessToken] = Background("access-token", wake=wake)
        self._token: AccessToken | None = None
        self._rejected: str | None = None
        # A product that was answered with it.
        self.good_for: str | None = None

    @property
    def value(self) -> str:
        return self._token.value if self._token else ""

    @property
    def is_valid(self) -> bool:
        if self._token is None:
            return False
        return self._token.expires_at is None or self._token.expires_at > utc_now()

    @property
    def is_proven(self) -> bool:
        return self.good_for is not None

    @property
    def is_renewing(self) -> bool:
        return self._renewal.busy_s > 0

    def show_good(self, value: str, remote_id: str) -> None:
        if value == self.value:
            self.good_for = remote_id

    def reject(self) -> None:
        self._rejected, self._token, self.good_for = self.value or None, None, None

    def renewed(self, *, is_wanted: bool) -> bool:
        """Whether there is a new one; asks for it if it `is_wanted`. Raises OffersServiceError."""
        if not self._renewal.is_busy:
            if is_wanted:
                self._renewal.start(partial(_obtained, self._tokens, self._rejected))
            return False
        try:
            token = self._renewal.taken()
        except OffersServiceError:
            # There is no other token: the rejected one may be accepted again, and only trying it can tell.
            self._rejected = None
            raise
        if token is None or token.value == self._rejected:
            # It was asked for before it was rejected.
            return False
        is_other = token.value != self.value
        self._token, self.good_for = token, None if is_other else self.good_for
        return True


def _obtained(tokens: Tokens, rejected: str | None) -> AccessToken:
    """Waits for a database that is away: it is not the service that fails then."""
    while True:
        try:
            return tokens.obtain(rejected=rejected)
        except OffersServiceError:
            raise
        except DBAPIError as error:
            if not is_transient(error):
                raise OffersUnavailable(f"The access token cannot be had: {type(error).__name__}.") from error
            log.warning("the database is not available", extra={"error": str(error.orig)})
        except Exception as error:
            log.exception("the access token cannot be had")
            raise OffersUnavailable(f"The access token cannot be had: {type(error).__name__}.") from error
        time.sleep(_DATABASE_PAUSE_S)
