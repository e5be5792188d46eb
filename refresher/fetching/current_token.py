"""The access token that calls are sent with. A thread obtains it, while calls under way go on."""

import logging
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import DBAPIError

from productator.database.failures import is_transient, reason
from productator.domain import utc_now
from productator.errors import OffersServiceError, OffersUnavailable
from productator.offers_service.access_token import TokenSource
from productator.offers_service.contract import AccessToken
from productator.workers.background import Background

log = logging.getLogger(__name__)

_DATABASE_PAUSE_S = 0.5


class CurrentToken:
    def __init__(self, tokens: TokenSource, *, wake: Callable[[], None]) -> None:
        self._tokens = tokens
        self._renewal: Background[AccessToken] = Background("access-token", wake=wake)
        self._token: AccessToken | None = None
        self._rejected: str | None = None
        # A product whose offers were read with this token, so the token is good; None: there is none yet.
        self.accepted_for_product: str | None = None

    @property
    def value(self) -> str:
        return self._token.value if self._token else ""

    @property
    def is_valid(self) -> bool:
        """Whether there is a token that has not expired."""
        if self._token is None:
            return False
        return self._token.expires_at is None or self._token.expires_at > utc_now()

    @property
    def is_renewing(self) -> bool:
        return self._renewal.busy_s > 0

    def accepted(self, value: str, *, product: str) -> None:
        """The service has accepted this token for a product."""
        if value == self.value:
            self.accepted_for_product = product

    def reject(self) -> None:
        """The service does not accept the token any more."""
        self._rejected, self._token, self.accepted_for_product = self.value or None, None, None

    def start_renewal(self) -> None:
        """Asks for a new token, unless one was asked for that `take_renewed` has not returned yet."""
        if not self._renewal.is_busy:
            self._renewal.start(partial(_obtain, self._tokens, self._rejected))

    def take_renewed(self) -> bool:
        """Whether a renewal has ended, so that there is a new token. Raises OffersServiceError."""
        try:
            token = self._renewal.take()
        except OffersServiceError:
            # There is no other token. The service may accept the rejected one again: only trying it shows.
            self._rejected = None
            raise
        if token is None or token.value == self._rejected:
            # There is no result yet, or the renewal began before the token was rejected.
            return False
        if token.value != self.value:
            self.accepted_for_product = None
        self._token = token
        return True


def _obtain(tokens: TokenSource, rejected: str | None) -> AccessToken:
    """Waits while the database is away, because that is no failure of the Offers service."""
    while True:
        try:
            return tokens.obtain(rejected=rejected)
        except OffersServiceError:
            raise
        except DBAPIError as error:
            if not is_transient(error):
                log.exception("obtaining the access token failed")
                raise _no_token(error) from error
            log.warning("the database is not available", extra={"error": reason(error)})
        except Exception as error:
            log.exception("obtaining the access token failed")
            raise _no_token(error) from error
        time.sleep(_DATABASE_PAUSE_S)


def _no_token(error: Exception) -> OffersUnavailable:
    """The message is for everybody: `last_error` is part of the API's answers."""
    cause = "the database refused to keep it" if isinstance(error, DBAPIError) else "a mistake of our own"
    return OffersUnavailable(f"There is no access token: {cause}, see the log ({type(error).__name__}).")
